/*
 * Runs the probes and writes the table: to the console, and as gc-selftest.txt beside the program or, where that
 * may not be written, in %TEMP%. Exit status: 0 if all is as expected, 1 if not, 2 if it could not begin.
 */
#include "selftest.h"

#include <conio.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REPORT "gc-selftest.txt"

static char report[65536];
static size_t written;
static int different, broken, asked, as_expected;

static void tell(const char *line)
{
    size_t size = strlen(line);

    puts(line);
    fflush(stdout);
    if (written + size + 3 > sizeof report) return;
    memcpy(report + written, line, size);
    memcpy(report + written + size, "\r\n", 2);
    written += size + 2;
}

static void add(char *words, const char *format, va_list values)
{
    size_t used = strlen(words);

    if (used > 0 && used + 3 < WORDS) used += (size_t)sprintf(words + used, ", ");
    _vsnprintf(words + used, WORDS - 1 - used, format, values);
}

void did(probe *p, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    add(p->did, format, values);
    va_end(values);
}

void made(probe *p, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    add(p->made, format, values);
    va_end(values);
}

void broke(probe *p, int line)
{
    p->error = WSAGetLastError();
    p->broke_at = line;
}

/* one of the answers that have a '|' between them */
static int is_one_of(const char *answers, const char *answer)
{
    size_t size = strlen(answer);
    const char *at = answers;

    while (at != NULL) {
        if (strncmp(at, answer, size) == 0 && (at[size] == '\0' || at[size] == '|')) return 1;
        at = strchr(at, '|');
        if (at != NULL) at++;
    }
    return 0;
}

/* an answer, what was expected instead if it is another one; whether it is as expected */
static int compare(const char *whose, const char *answer, const char *wanted)
{
    char line[3 * WORDS + 400];

    if (strcmp(wanted, "-") == 0) return 1;
    sprintf(line, "               %s  %s", whose, answer);
    tell(line);
    if (*wanted == '\0' || is_one_of(wanted, answer)) return 1;
    sprintf(line, "               expected %s", wanted);
    tell(line);
    return 0;
}

static void result(probe *p, int number, int has_ended)
{
    char line[300];
    const char *verdict = "ok";
    int is_asked = *p->windows == '\0', is_same;

    if (!has_ended) verdict = "NO END";
    else if (p->broke_at != 0) verdict = "NOT MADE";
    else {
        is_same = (is_asked || strcmp(p->windows, "-") == 0 || is_one_of(p->windows, p->did)) &&
                  (strcmp(p->library, "-") == 0 || *p->library == '\0' || is_one_of(p->library, p->made));
        verdict = !is_same ? "DIFFERENT" : is_asked && *p->did != '\0' ? "asked" : "ok";
        different += !is_same;
        as_expected += is_same;
        asked += is_same && is_asked && *p->did != '\0';
    }
    sprintf(line, "%2d %-10s  %s [%s]", number, verdict, p->title, p->name);
    tell(line);
    if (!has_ended || p->broke_at != 0) {
        broken++;
        sprintf(line, "               at line %d, error %d; system: %.80s; library: %.80s", p->broke_at, p->error, p->did, p->made);
        tell(line);
        return;
    }
    if (*p->did != '\0') compare("system: ", p->did, p->windows);
    if (*p->made != '\0') compare("library:", p->made, p->library);
}

static DWORD WINAPI probe_main(LPVOID argument)
{
    probe *p = (probe *)argument;

    p->run(p);
    return 0;
}

static int run(probe *list, int number)
{
    HANDLE thread;
    int has_ended;

    for (; list->name != NULL; list++) {
        expect_of_wine(list);
        thread = CreateThread(NULL, 0, probe_main, list, 0, NULL);
        has_ended = thread != NULL && WaitForSingleObject(thread, PROBE_MS) == WAIT_OBJECT_0;
        if (thread != NULL) CloseHandle(thread);
        result(list, ++number, has_ended);
    }
    return number;
}

static FILE *beside_the_program(WCHAR *path)
{
    WCHAR *name;

    GetModuleFileNameW(NULL, path, MAX_PATH);
    path[MAX_PATH - 1] = L'\0';
    name = wcsrchr(path, L'\\');
    if (name == NULL || name - path + sizeof REPORT > MAX_PATH) return NULL;
    wcscpy(name + 1, L"gc-selftest.txt");
    return _wfopen(path, L"wb");
}

static FILE *for_a_while(WCHAR *path)
{
    if (GetTempPathW(MAX_PATH - sizeof REPORT, path) == 0) return NULL;
    wcscat(path, L"gc-selftest.txt");
    return _wfopen(path, L"wb");
}

static void save(void)
{
    WCHAR path[MAX_PATH];
    char words[3 * MAX_PATH];
    FILE *file = beside_the_program(path);

    if (file == NULL) file = for_a_while(path);
    if (file == NULL || fwrite(report, 1, written, file) != written || fclose(file) != 0) {
        puts("\nThe table cannot be written to a file; please copy it from here.");
        return;
    }
    WideCharToMultiByte(GetConsoleOutputCP(), 0, path, -1, words, sizeof words, NULL, NULL);
    printf("\nPlease send this file: %s\n", words);
}

/* Started by a double click: the console is ours alone, and goes with us. */
static void keep_the_window(void)
{
    DWORD processes[2], mode;
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE), out = GetStdHandle(STD_OUTPUT_HANDLE);

    if (GetConsoleProcessList(processes, 2) != 1 || !GetConsoleMode(in, &mode) || !GetConsoleMode(out, &mode)) return;
    puts("Press any key to close this window.");
    fflush(stdout);
    _getch();
}

int main(void)
{
    WSADATA data;
    DWORD started = GetTickCount();
    char line[200];
    int number;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) {
        puts("Winsock does not start.");
        return 2;
    }
    tell("gc-selftest: closing TCP connections on this Windows");
    tell_versions(tell);
    tell("");
    number = run(of_handles, 0);
    number = run(of_resets, number);
    number = run(of_waits, number);
    number = run(of_shutdowns, number);
    number = run(of_overlapped, number);
    number = run(of_cancels, number);
    number = run(of_the_library, number);
    run(of_the_background, number);
    tell("");
    tell_catalogue(tell);
    tell_drivers(tell);
    tell("");
    sprintf(line, "%d as expected (%d of them only asked), %d DIFFERENT, %d not made; %lu s", as_expected, asked, different,
            broken, (GetTickCount() - started) / 1000);
    tell(line);
    save();
    keep_the_window();
    return different + broken != 0;
}
