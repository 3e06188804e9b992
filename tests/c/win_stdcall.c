/*
 * The twins gc_..._std of 32-bit Windows, called as Visual Basic 6 and Delphi do it: found in the DLL by
 * their undecorated names, each takes its own arguments from the stack. All that the DLL has are called.
 */
#include "win_test.h"

#ifdef _WIN32
#if defined(__i386__) && defined(__GNUC__)

static HMODULE library;
static char called[64][40];
static int calls;

static FARPROC twin(const char *name)
{
    FARPROC found = GetProcAddress(library, name);
    int i;

    if (found == NULL) {
        printf("no %s in the DLL\n", name);
        exit(1);
    }
    for (i = 0; i < calls && strcmp(called[i], name) != 0; i++) {
    }
    if (i == calls) {
        strcpy(called[calls++], name);
    }
    return found;
}

/* what is left on the stack by the call is told apart from its result */
static DWORD call(const char *name, int count, const DWORD *arguments)
{
    DWORD result, address;
    int left;
    FARPROC function = twin(name);

    memcpy(&address, &function, sizeof address);
    __asm__ __volatile__("movl %%esp, %%esi\n\t"
                         "1: testl %%ecx, %%ecx\n\t"
                         "jz 2f\n\t"
                         "pushl -4(%%ebx,%%ecx,4)\n\t"
                         "decl %%ecx\n\t"
                         "jmp 1b\n\t"
                         "2: call *%%edx\n\t"
                         "movl %%esp, %%ecx\n\t"
                         "subl %%esi, %%ecx\n\t"
                         "movl %%esi, %%esp"
                         : "=a"(result), "=c"(left), "+d"(address)
                         : "b"(arguments), "1"(count)
                         : "esi", "edi", "memory", "cc");
    if (left != 0) {
        printf("%s with %d arguments is off by %d bytes\n", name, count, left);
        exit(1);
    }
    return result;
}

static DWORD call_0(const char *name)
{
    return call(name, 0, NULL);
}

static DWORD call_1(const char *name, DWORD first)
{
    return call(name, 1, &first);
}

static DWORD call_2(const char *name, DWORD first, DWORD second)
{
    DWORD arguments[2];

    arguments[0] = first;
    arguments[1] = second;
    return call(name, 2, arguments);
}

static DWORD call_3(const char *name, DWORD first, DWORD second, DWORD third)
{
    DWORD arguments[3];

    arguments[0] = first;
    arguments[1] = second;
    arguments[2] = third;
    return call(name, 3, arguments);
}

static DWORD call_4(const char *name, DWORD first, DWORD second, DWORD third, DWORD fourth)
{
    DWORD arguments[4];

    arguments[0] = first;
    arguments[1] = second;
    arguments[2] = third;
    arguments[3] = fourth;
    return call(name, 4, arguments);
}

/* a connection that a close ends at once */
static DWORD ended(void)
{
    SOCKET ours, other;

    make_pair(&ours, &other);
    CHECK_INT(shutdown(other, SD_SEND), 0);
    Sleep(20);
    return (DWORD)ours;
}

static void closes(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT, reports[2];
    DWORD s = ended();
    gc_socket two[2];

    CHECK_INT(call_2("gc_close_std", s, 3000), GC_GRACEFUL);
    CHECK_INT(call_2("gc_close_std", s, 3000), GC_ERR_NOT_A_SOCKET);
    CHECK_INT(call_3("gc_close_with_std", ended(), (DWORD)&options, (DWORD)&report), GC_GRACEFUL);
    CHECK_INT(report.closed, 1);
    s = ended();
    CHECK_INT(call_2("gc_finish_std", s, 3000), GC_GRACEFUL);
    CHECK(!is_closed(s));
    CHECK_INT(call_1("gc_abort_std", s), 0);
    CHECK(is_closed(s));
    call_1("gc_set_default_timeout_std", 3000);
    CHECK_INT(call_1("gc_closesocket", ended()), 0); /* closesocket's own convention */
    two[0] = ended();
    two[1] = ended();
    reports[0] = reports[1] = report;
    CHECK_INT(call_4("gc_close_many_std", (DWORD)two, 2, (DWORD)&options, (DWORD)reports), 2);
    passed("closes");
}

static void steps(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    gc_closing *closing = NULL;
    DWORD s = ended(), at;

    CHECK_INT(call_3("gc_closing_new_std", s, (DWORD)&options, (DWORD)&closing), 0);
    at = (DWORD)closing;
    CHECK_INT(call_1("gc_closing_socket_std", at), s);
    call_1("gc_closing_timeout_ms_std", at);
    call_1("gc_closing_wants_read_std", at);
    while (call_1("gc_closing_step_std", at) == GC_PENDING) {
        Sleep(10);
    }
    CHECK_INT(call_2("gc_closing_report_std", at, (DWORD)&report), 0);
    CHECK_INT(report.outcome, GC_GRACEFUL);
    call_1("gc_closing_free_std", at);
    passed("steps");
}

static LONG volatile done_ones;

/* callbacks are cdecl for everybody */
static void __cdecl done(void *user, gc_socket sock, const gc_report *report)
{
    (void)sock;
    CHECK(user == (void *)&done_ones);
    CHECK_INT(report->outcome, GC_GRACEFUL);
    InterlockedIncrement(&done_ones);
}

static void background(void)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_reaper *reaper = NULL;
    DWORD arguments[5];
    gc_stats stats;

    CHECK_INT(call_2("gc_reaper_new_std", 0, (DWORD)&reaper), 0);
    arguments[0] = (DWORD)reaper;
    arguments[1] = ended();
    arguments[2] = (DWORD)&options;
    arguments[3] = (DWORD)done;
    arguments[4] = (DWORD)&done_ones;
    CHECK_INT(call("gc_reaper_close_std", 5, arguments), 0);
    CHECK_INT(call_2("gc_reaper_flush_std", (DWORD)reaper, 5000), 0);
    CHECK_INT(call_1("gc_reaper_pending_std", (DWORD)reaper), 0);
    CHECK_INT(call_2("gc_reaper_free_std", (DWORD)reaper, 5000), 0);
    CHECK_INT(done_ones, 1);
    CHECK_INT(call_2("gc_close_async_std", ended(), 3000), 0);
    CHECK_INT(call_1("gc_flush_std", 5000), 0);
    call_1("gc_set_exit_timeout_std", 1000);
    call_0("gc_flush_at_exit_std");
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK_INT(call_1("gc_get_stats_std", (DWORD)&stats), 0);
    CHECK(stats.by_outcome[GC_GRACEFUL] >= 7);
    passed("background");
}

static void words(void)
{
    call_2("gc_set_log_std", 0, 0);
    call_1("gc_set_log_caller_std", 0);
    CHECK(strcmp((const char *)call_1("gc_outcome_name_std", GC_RESET), "reset") == 0);
    CHECK(strcmp((const char *)call_0("gc_version_string_std"), gc_version_string()) == 0);
    CHECK_INT(call_0("gc_version_number_std"), gc_version_number());
    passed("words");
}

/* how many names end so in the DLL's list */
static int twins_of_the_dll(void)
{
    const BYTE *base = (const BYTE *)library;
    const IMAGE_NT_HEADERS *headers = (const IMAGE_NT_HEADERS *)(base + ((const IMAGE_DOS_HEADER *)base)->e_lfanew);
    const IMAGE_EXPORT_DIRECTORY *list =
        (const IMAGE_EXPORT_DIRECTORY *)(base + headers->OptionalHeader.DataDirectory[0].VirtualAddress);
    const DWORD *names = (const DWORD *)(base + list->AddressOfNames);
    int count = 0;
    DWORD i;

    for (i = 0; i < list->NumberOfNames; i++) {
        const char *name = (const char *)base + names[i];
        size_t size = strlen(name);
        count += size > 4 && strcmp(name + size - 4, "_std") == 0;
    }
    return count;
}

int main(void)
{
    start_winsock();
    library = LoadLibraryA("graceful_close.dll");
    CHECK(library != NULL);
    closes();
    steps();
    background();
    words();
    CHECK_INT(calls - 1, twins_of_the_dll()); /* gc_closesocket is none */
    WSACleanup();
    return 0;
}

#else

int main(void)
{
    puts("SKIPPED: there is one calling convention, or no way to write this test");
    return 77;
}

#endif
#endif
