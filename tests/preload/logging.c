/* The log's file: T89, T90, T108, T109. */
#include "lab.h"

#include <sys/resource.h>
#include <sys/stat.h>

extern char **environ;

static char log_file[64], rotated[80];

/* The library reads its settings at the start: this program once more, with a log. */
static void start_logged(char *role)
{
    char *words[] = {"/proc/self/exe", role, NULL};
    char folder[] = "/tmp/log-XXXXXX";
    int status;
    pid_t child;

    MUST(mkdtemp(folder) != NULL && chmod(folder, 0755) == 0);
    snprintf(log_file, sizeof log_file, "%s/log", folder);
    snprintf(rotated, sizeof rotated, "%s.1", log_file);
    setenv("GRACEFUL_CLOSE_LOG", log_file, 1);
    child = fork();
    if (child == 0) {
        execve(words[0], words, environ);
        _exit(127);
    }
    MUST(waitpid(child, &status, 0) == child);
    unlink(log_file);
    unlink(rotated);
    rmdir(folder);
    if (status != 0)
        fail("ended with status %x", status);
}

/* So many lines with this text. */
static int lines(const char *file, const char *text)
{
    char line[512];
    int count = 0;
    FILE *log = fopen(file, "r");

    while (log != NULL && fgets(line, sizeof line, log) != NULL)
        count += strstr(line, text) != NULL;
    if (log != NULL)
        fclose(log);
    return count;
}

static void expect_lines(const char *file, const char *text, int wanted)
{
    int i;

    /* written by the background thread, a little later */
    for (i = 0; i < 50 && lines(file, text) != wanted; i++)
        sleep_ms(20);
    if (lines(file, text) != wanted)
        fail("%d lines with \"%s\" instead of %d", lines(file, text), text, wanted);
}

static void answer_one(int listening)
{
    peer one = client(listening);

    close(served(listening));
    came_whole(one);
}

static int rotate(void)
{
    int listening = listener();
    struct stat status;

    strcpy(log_file, getenv("GRACEFUL_CLOSE_LOG"));
    snprintf(rotated, sizeof rotated, "%s.1", log_file);
    answer_one(listening);
    expect_lines(log_file, ": graceful, ", 1);
    MUST(stat(log_file, &status) == 0 && (status.st_mode & 0777) == 0600);
    MUST(rename(log_file, rotated) == 0);
    answer_one(listening);
    expect_lines(log_file, ": graceful, ", 1);
    expect_lines(rotated, ": graceful, ", 1);
    MUST(stat(log_file, &status) == 0 && (status.st_mode & 0777) == 0600);
    return 0;
}

/* T89: the log is its owner's alone, and goes on in a new file when the old one is renamed. */
static void rotation(void)
{
    start_logged("T-rotate");
}

static int serve_as_nobody(void)
{
    int listening = listener();
    peer one = client(listening);
    int fd = accepted(listening), log;
    char *words[] = {"/proc/self/exe", "T-standard", NULL};
    char text[4096];
    ssize_t size;
    pid_t child;

    strcpy(log_file, getenv("GRACEFUL_CLOSE_LOG"));
    /* who is nobody may not open it */
    log = open(log_file, O_RDONLY | O_CLOEXEC);
    MUST(log >= 0);
    MUST(setgid(65534) == 0 && setuid(65534) == 0);
    MUST(open(log_file, O_RDONLY) == -1);
    child = fork();
    if (child == 0) {
        MUST(dup2(fd, 0) == 0);
        close(fd);
        execve(words[0], words, environ);
        _exit(127);
    }
    close(fd);
    came_whole(one);
    MUST(waitpid(child, NULL, 0) == child);
    size = read(log, text, sizeof text - 1);
    MUST(size > 0);
    text[size] = 0;
    if (strstr(text, ": graceful, ") == NULL)
        fail("no line of the service: %s", text);
    return 0;
}

static int answer_the_standard(void)
{
    wait_for_bytes(0, REQUEST);
    send_answer(0);
    return 0;
}

/* T90: a service of another user than the one who has started it writes into the same log. */
static void another_user(void)
{
    if (geteuid() != 0)
        skip("needs root");
    start_logged("T-serve");
}

static int no_room(void)
{
    struct rlimit limit = {10, 10};

    char *words[] = {"/proc/self/exe", "T-now", NULL};

    MUST(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    /* the first line of a program is written by its own thread, in which the signal is not blocked */
    execve(words[0], words, environ);
    return 1;
}

/* T108: a log that has no room under the limit of a file's size does not end the program. */
static void size_limit(void)
{
    start_logged("T-limited");
}

/* T109: a log that is a FIFO: nobody waits for a reader, and its end is not the program's. */
static void pipe_without_a_reader(void)
{
    char *words[] = {"/proc/self/exe", "T-answer", NULL};
    char folder[] = "/tmp/log-XXXXXX";
    int reader = -1, status = 0, round;
    pid_t child;

    MUST(mkdtemp(folder) != NULL);
    snprintf(log_file, sizeof log_file, "%s/log", folder);
    MUST(mkfifo(log_file, 0600) == 0);
    setenv("GRACEFUL_CLOSE_LOG", log_file, 1);
    for (round = 0; round < 2 && status == 0; round++) {
        if (round == 1)
            MUST((reader = open(log_file, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) >= 0);
        child = fork();
        if (child == 0) {
            execve(words[0], words, environ);
            _exit(127);
        }
        sleep_ms(300);
        close(reader);
        MUST(waitpid(child, &status, 0) == child);
    }
    unlink(log_file);
    rmdir(folder);
    if (status != 0)
        fail("ended with status %x", status);
}

static int answer_later(void)
{
    sleep_ms(600);
    answer_one(listener());
    return 0;
}

int main(int argc, char **argv)
{
    static const check checks[] = {
        {"T89", rotation},
        {"T90", another_user},
        {"T108", size_limit},
        {"T109", pipe_without_a_reader},
    };

    if (argc > 1 && strcmp(argv[1], "T-rotate") == 0)
        return rotate();
    if (argc > 1 && strcmp(argv[1], "T-serve") == 0)
        return serve_as_nobody();
    if (argc > 1 && strcmp(argv[1], "T-limited") == 0)
        return no_room();
    if (argc > 1 && strcmp(argv[1], "T-now") == 0) {
        answer_one(listener());
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "T-answer") == 0)
        return answer_later();
    if (argc > 1 && strcmp(argv[1], "T-standard") == 0)
        return answer_the_standard();
    return lab_main(argc, argv, checks, sizeof checks / sizeof *checks);
}
