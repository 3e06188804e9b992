/*
 * pair.c - runs a server and, once it has printed its port, a client
 *
 *   pair [-processor MS] SERVER [ARGUMENT...] -- CLIENT [ARGUMENT...]
 *
 * The server prints "listening on port N" and ends by itself after its last connection. In the
 * client's arguments PORT stands for N. Succeeds if both do; a server whose client failed is
 * ended. For ctest, which has no such thing, on every system.
 *
 * -processor MS: both together may take so many milliseconds of processor time. A loop that spins
 * while it waits gives the right answers, too. Not looked at on Windows.
 */
#ifndef _WIN32
#define _GNU_SOURCE
#define _DARWIN_C_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <windows.h>
#include <fcntl.h>
#include <io.h>
#define COMMAND_SIZE 4096
typedef HANDLE process;
#else
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
typedef pid_t process;
#endif

#define GRACE_MS 1000 /* for the last words of a server whose client failed */

#ifdef _WIN32

/* The argument in quotes at the end of the command; 0 if it does not fit. */
static int append(char *command, const char *argument)
{
    size_t used = strlen(command);

    if (used + strlen(argument) + 4 > COMMAND_SIZE)
        return 0;
    sprintf(command + used, "%s\"%s\"", used > 0 ? " " : "", argument);
    return 1;
}

/* What is in it ends with this process, also if that is ended from outside: Wine's processes are
   no children of each other to the system underneath. */
static HANDLE our_job(void)
{
    static HANDLE job = NULL;
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits;

    if (job == NULL) {
        memset(&limits, 0, sizeof limits);
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        job = CreateJobObjectA(NULL, NULL);
        SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    }
    return job;
}

static int launch(char *command, HANDLE output, process *started)
{
    STARTUPINFOA how;
    PROCESS_INFORMATION made;

    memset(&how, 0, sizeof how);
    how.cb = sizeof how;
    how.dwFlags = STARTF_USESTDHANDLES;
    how.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    how.hStdOutput = output;
    how.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (!CreateProcessA(NULL, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &how, &made)) {
        fprintf(stderr, "pair: %s: error %lu\n", command, GetLastError());
        return 0;
    }
    AssignProcessToJobObject(our_job(), made.hProcess);
    ResumeThread(made.hThread);
    CloseHandle(made.hThread);
    *started = made.hProcess;
    return 1;
}

/* With output the standard output can be read there. 0: it cannot be started. */
static int start(char **arguments, FILE **output, process *started)
{
    char command[COMMAND_SIZE] = "";
    SECURITY_ATTRIBUTES inherited;
    HANDLE from, to;
    int could;

    for (; *arguments != NULL; arguments++)
        if (!append(command, *arguments))
            return 0;
    if (output == NULL)
        return launch(command, GetStdHandle(STD_OUTPUT_HANDLE), started);
    memset(&inherited, 0, sizeof inherited);
    inherited.nLength = sizeof inherited;
    inherited.bInheritHandle = TRUE;
    if (!CreatePipe(&from, &to, &inherited, 0))
        return 0;
    SetHandleInformation(from, HANDLE_FLAG_INHERIT, 0);
    could = launch(command, to, started);
    CloseHandle(to);
    *output = _fdopen(_open_osfhandle((intptr_t)from, _O_RDONLY | _O_TEXT), "r");
    return could && *output != NULL;
}

/* its exit status */
static int wait_for(process one)
{
    DWORD status = 1;

    WaitForSingleObject(one, INFINITE);
    GetExitCodeProcess(one, &status);
    return (int)status;
}

static void end(process one)
{
    Sleep(GRACE_MS);
    TerminateProcess(one, 1);
}

static long processor_ms(void)
{
    return 0;
}

#else

static int start(char **arguments, FILE **output, process *started)
{
    int ends[2] = { -1, -1 };

    if (output != NULL && pipe(ends) != 0)
        return 0;
    *started = fork();
    if (*started == 0) {
        if (output != NULL)
            dup2(ends[1], STDOUT_FILENO);
        if (output != NULL && ends[1] != STDOUT_FILENO)
            close(ends[1]);
        execv(arguments[0], arguments);
        perror(arguments[0]);
        _exit(127);
    }
    if (output != NULL) {
        close(ends[1]);
        fcntl(ends[0], F_SETFD, FD_CLOEXEC);
        *output = fdopen(ends[0], "r");
    }
    return *started > 0 && (output == NULL || *output != NULL);
}

static int wait_for(process one)
{
    int status;

    if (waitpid(one, &status, 0) != one)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void end(process one)
{
    poll(NULL, 0, GRACE_MS);
    kill(one, SIGKILL);
}

/* of the processes that were waited for */
static long processor_ms(void)
{
    struct rusage usage;

    if (getrusage(RUSAGE_CHILDREN, &usage) != 0)
        return 0;
    return (long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000
        + (long)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

#endif

/* The exit status of a client for this port. */
static int run_client(char **arguments, unsigned int port)
{
    static char number[16];
    process client;
    size_t i;

    sprintf(number, "%u", port);
    for (i = 0; arguments[i] != NULL; i++)
        if (strcmp(arguments[i], "PORT") == 0)
            arguments[i] = number;
    return start(arguments, NULL, &client) ? wait_for(client) : -1;
}

/* All that the server prints goes on to our output; its first line of a port starts the client. */
static int serve(process server, FILE *output, char **client)
{
    char line[512];
    unsigned int port;
    int status = -1;

    while (fgets(line, sizeof line, output) != NULL) {
        fputs(line, stdout);
        fflush(stdout);
        if (status == -1 && sscanf(line, "listening on port %u", &port) == 1) {
            status = run_client(client, port);
            if (status != 0)
                end(server);
        }
    }
    return status;
}

int main(int argc, char **argv)
{
    long most = 0, took;
    int first = 1, split, client_status, server_status;
    process server;
    FILE *output;

    if (argc > 2 && strcmp(argv[1], "-processor") == 0) {
        most = atol(argv[2]);
        first = 3;
    }
    for (split = first; split < argc && strcmp(argv[split], "--") != 0; split++)
        continue;
    if (split == first || split + 1 >= argc) {
        fprintf(stderr, "usage: pair [-processor MS] SERVER [ARGUMENT...] -- CLIENT [ARGUMENT...]\n");
        return 2;
    }
    argv[split] = NULL;
    if (!start(argv + first, &output, &server)) {
        fprintf(stderr, "pair: %s cannot be started\n", argv[first]);
        return 1;
    }
    client_status = serve(server, output, argv + split + 1);
    server_status = wait_for(server);
    took = processor_ms();
    if (client_status != 0 || server_status != 0) {
        fprintf(stderr, "pair: client %d, server %d\n", client_status, server_status);
        return 1;
    }
    if (most > 0 && took > most) {
        fprintf(stderr, "pair: %ld ms of processor time, at most %ld: it spins\n", took, most);
        return 1;
    }
    return 0;
}
