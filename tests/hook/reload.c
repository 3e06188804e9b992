/*
 * Two DLLs one after the other at the same addresses: each closes a connection, and they are two call sites for
 * `graceful-close observe`.
 *
 *   reload FIRST.dll SECOND.dll      says "same" if they did lie at the same place
 */
#include "net.h"

typedef int(WSAAPI *closes)(SOCKET);

static SOCKET connected(SOCKET *client)
{
    struct sockaddr_in address;
    SOCKET listening = listen_on(&address), s;

    *client = tcp_socket();
    CHECK(connect(*client, (struct sockaddr *)&address, sizeof address) == 0);
    s = accept(listening, NULL, NULL);
    CHECK(s != INVALID_SOCKET);
    closesocket(listening);
    return s;
}

/* where it was loaded */
static HMODULE closed_by(const char *name)
{
    SOCKET client, s = connected(&client);
    HMODULE module = LoadLibraryA(name);
    FARPROC function;
    closes close_in_module;

    CHECK(module != NULL);
    function = GetProcAddress(module, "close_in_module");
    CHECK(function != NULL);
    memcpy(&close_in_module, &function, sizeof function);
    CHECK(close_in_module(s) == 0);
    CHECK(FreeLibrary(module));
    CHECK(GetModuleHandleA(name) == NULL);
    closesocket(client);
    return module;
}

int main(int argc, char **argv)
{
    HMODULE at[2];
    int i;

    CHECK(argc == 3);
    start_winsock();
    /* from one place, so that the callers are the same, too */
    for (i = 0; i < 2; i++)
        at[i] = closed_by(argv[i + 1]);
    printf("%s\n", at[0] == at[1] ? "same" : "another");
    return 0;
}
