/*
 * A server that gives each connection to a child process and closes its own handle of it; the
 * child answers a little later. The parent's close must not end the connection.
 *
 *   parent            prints its port first; one connection
 *   parent child      the child: told on its standard input which socket is its
 */
#include "net.h"

static int child(void)
{
    static char answer[100000];
    WSAPROTOCOL_INFOW info;
    DWORD got = 0;
    SOCKET s;
    char first;

    CHECK(ReadFile(GetStdHandle(STD_INPUT_HANDLE), &info, sizeof info, &got, NULL) && got == sizeof info);
    s = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, WSA_FLAG_OVERLAPPED);
    CHECK(s != INVALID_SOCKET);
    Sleep(300);
    CHECK(recv(s, &first, 1, 0) == 1);
    CHECK(send(s, answer, sizeof answer, 0) == sizeof answer);
    CHECK(closesocket(s) == 0);
    return 0;
}

/* Starts the child and tells it of the socket. */
static HANDLE give_to_child(SOCKET s)
{
    STARTUPINFOA start;
    PROCESS_INFORMATION told;
    SECURITY_ATTRIBUTES inheritable;
    WSAPROTOCOL_INFOW info;
    HANDLE from, to;
    DWORD written = 0;
    char line[MAX_PATH + 16], name[MAX_PATH];

    memset(&inheritable, 0, sizeof inheritable);
    inheritable.nLength = sizeof inheritable;
    inheritable.bInheritHandle = TRUE;
    CHECK(CreatePipe(&from, &to, &inheritable, 0));
    CHECK(SetHandleInformation(to, HANDLE_FLAG_INHERIT, 0));
    CHECK(SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0));
    CHECK(GetModuleFileNameA(NULL, name, sizeof name) > 0);
    sprintf(line, "\"%s\" child", name);
    memset(&start, 0, sizeof start);
    start.cb = sizeof start;
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = from;
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    CHECK(CreateProcessA(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &told));
    CHECK(WSADuplicateSocketW(s, told.dwProcessId, &info) == 0);
    CHECK(WriteFile(to, &info, sizeof info, &written, NULL) && written == sizeof info);
    CloseHandle(told.hThread);
    CloseHandle(from);
    CloseHandle(to);
    return told.hProcess;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    SOCKET listening, s;
    HANDLE process;
    DWORD code = 1;

    start_winsock();
    if (argc > 1 && strcmp(argv[1], "child") == 0) {
        return child();
    }
    listening = listen_on(&address);
    CHECK(SetHandleInformation((HANDLE)listening, HANDLE_FLAG_INHERIT, 0));
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    s = accept(listening, NULL, NULL);
    CHECK(s != INVALID_SOCKET);
    CHECK(send(s, "hello", 5, 0) == 5);
    process = give_to_child(s);
    CHECK(closesocket(s) == 0);
    CHECK(WaitForSingleObject(process, 20000) == WAIT_OBJECT_0);
    CHECK(GetExitCodeProcess(process, &code));
    return (int)code;
}
