/*
 * Every way in which a program comes to closesocket. One line for each: whether the answer that
 * was on its way at the close came whole.
 *
 *   routes [ELSEWHERE.DLL]     the latter lies outside of the program's folder
 */
#include "net.h"

typedef int(WSAAPI *close_fn)(SOCKET);

/* routes_other.c */
int close_by_own_prototype(size_t s);
/* routes_module.c, in a DLL that is loaded with the program */
__declspec(dllimport) int WSAAPI close_in_module(SOCKET s);

static close_fn table[] = {closesocket};

static struct operations {
    const char *name;
    close_fn closesocket;
} operations;

static close_fn looked_up(LPCSTR name)
{
    close_fn found = (close_fn)(void (*)(void))GetProcAddress(GetModuleHandleA("ws2_32.dll"), name);

    CHECK(found != NULL);
    return found;
}

static close_fn in_module(HMODULE module)
{
    close_fn found;

    CHECK(module != NULL);
    found = (close_fn)(void (*)(void))GetProcAddress(module, "close_in_module");
    CHECK(found != NULL);
    return found;
}

static void try_route(const char *name, close_fn route)
{
    early pair;

    answer_early(&pair);
    CHECK(route(pair.server) == 0);
    tell_answer(name, &pair);
}

static int WSAAPI by_own_prototype(SOCKET s)
{
    return close_by_own_prototype(s);
}

static int WSAAPI directly(SOCKET s)
{
    return closesocket(s);
}

int main(int argc, char **argv)
{
    start_winsock();
    operations.closesocket = closesocket;
    try_route("direct call", directly);
    try_route("function table", table[0]);
    try_route("struct member", operations.closesocket);
    try_route("own prototype in another file", by_own_prototype);
    try_route("GetProcAddress by name", looked_up("closesocket"));
    try_route("GetProcAddress by ordinal", looked_up(MAKEINTRESOURCEA(3)));
    try_route("module linked in, by wsock32", close_in_module);
    try_route("module loaded later", in_module(LoadLibraryA("routes_later.dll")));
    try_route("module loaded later, in a folder below", in_module(LoadLibraryExW(L"sub\\routes_below.dll", NULL, 0)));
    try_route("module with a delayed import", in_module(LoadLibraryA("routes_delayed.dll")));
    try_route("module that imports by ordinal", in_module(LoadLibraryA("routes_ordinal.dll")));
    if (argc > 1) {
        try_route("module of another folder", in_module(LoadLibraryA(argv[1])));
    }
    return 0;
}
