/*
 * gc_set_log_caller(): each line of the log ends with who called, as module+offset, the
 * innermost first; a close that ends in the background with who has handed it over. Off, as at
 * first, no line has it.
 */
#include "reaper_test.h"

#define WAYS 9
#if defined(_M_IX86) || (defined(_WIN32) && defined(__i386__))
/* which this program may not have; and what a pointer calls cannot be told in a static library */
#define GOES_BY_FRAME_POINTERS
#endif
#define FUNCTION 600 /* bytes that a function of these takes at most */

static char line_of[512];
static volatile long lines_come;
static const char *own_name;
static gc_reaper *reaper;
static volatile int result; /* used after each call, which is no tail call then */

static void writes_down(void *user, int outcome, const char *line)
{
    (void)user;
    (void)outcome;
    CHECK(strlen(line) < sizeof(line_of));
    strcpy(line_of, line);
    lines_come++;
}

/* --- one function for each way, none of which is put into its caller --- */

static void by_close(gc_socket sock)
{
    result = gc_close(sock, 20);
    CHECK_IS(result, GC_TIMED_OUT);
}

static void by_close_with(gc_socket sock)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = 20;
    result = gc_close_with(sock, &options, NULL);
    CHECK_IS(result, GC_TIMED_OUT);
}

static void by_the_drop_in(gc_socket sock)
{
    gc_set_default_timeout(20);
    result = gc_closesocket(sock);
    CHECK_IS(result, 0);
}

static void by_many(gc_socket sock)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = 20;
    result = gc_close_many(&sock, 1, &options, NULL);
    CHECK_IS(result, 0);
}

/* a step is another call: the line tells who began */
static void by_steps(gc_socket sock)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_closing *closing = NULL;
    options.timeout_ms = 20;
    result = gc_closing_new(sock, &options, &closing);
    CHECK_IS(result, 0);
    while (gc_closing_step(closing) == GC_PENDING) check_sleep(5);
    gc_closing_free(closing);
}

static void by_reaper(gc_socket sock)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = 40;
    result = gc_reaper_close(reaper, sock, &options, NULL, NULL);
    CHECK_IS(result, 0);
}

static void by_reaper_deferred(gc_socket sock)
{
    gc_options options = GC_OPTIONS_INIT;
    options.timeout_ms = 40;
    options.flags = GC_DEFERRED;
    result = gc_reaper_close(reaper, sock, &options, NULL, NULL);
    CHECK_IS(result, 0);
}

/* a program that is not position-independent then has an address of its own for the function */
static int (*volatile pointer)(gc_socket, unsigned int) = gc_close;

static void by_pointer(gc_socket sock)
{
    result = pointer(sock, 20);
    CHECK_IS(result, GC_TIMED_OUT);
}

static void by_mistake(gc_socket sock)
{
    (void)sock;
    result = gc_close_async(CHECK_NO_SOCKET, 20);
    CHECK_IS(result, GC_ERR_NOT_A_SOCKET);
}

typedef void (*way)(gc_socket sock);

static const way ways[WAYS] = {by_close, by_close_with, by_the_drop_in, by_many,
                               by_steps, by_reaper, by_reaper_deferred, by_pointer, by_mistake};

static volatile way chosen;

static void calls_the_way(gc_socket sock)
{
    chosen(sock);
    result++;
}

static void (*volatile caller)(gc_socket) = calls_the_way;

/* --- */

/* where the offsets of the line count from: 0, if that is not known here */
static size_t offset_of(size_t address)
{
#if defined(_WIN32)
    return address - (size_t)GetModuleHandleA(NULL);
#elif defined(__linux__)
    FILE *maps = fopen("/proc/self/maps", "r");
    char text[1024];
    unsigned long begin, end, offset;
    size_t found = 0;
    CHECK(maps != NULL);
    while (fgets(text, sizeof(text), maps) != NULL) {
        if (sscanf(text, "%lx-%lx %*s %lx", &begin, &end, &offset) != 3) continue;
        if (address >= begin && address < end) found = address - begin + offset;
    }
    fclose(maps);
    CHECK(found != 0);
    return found;
#else
    (void)address;
    return 0;
#endif
}

/* the text behind it, after a check that it is a place in this function */
static const char *check_place(const char *text, way function)
{
    size_t length = strlen(own_name), begin = offset_of((size_t)function);
    unsigned long offset;
    char *end;
    CHECK(strncmp(text, own_name, length) == 0);
    CHECK(strncmp(text + length, "+0x", 3) == 0);
    offset = strtoul(text + length + 3, &end, 16);
    if (begin != 0) CHECK_BETWEEN(offset, begin + 1, begin + FUNCTION);
    return end;
}

static void check_chain(way innermost)
{
    const char *text = strstr(line_of, "; caller: ");
    int count = 1;
    if (text == NULL) printf("no caller: %s\n", line_of);
    CHECK(text != NULL);
#ifdef GOES_BY_FRAME_POINTERS
    if (innermost == by_pointer) return;
#endif
    text = check_place(text + strlen("; caller: "), innermost);
#ifndef GOES_BY_FRAME_POINTERS
    CHECK(strncmp(text, " < ", 3) == 0);
    check_place(text + 3, calls_the_way);
#endif
    for (; (text = strstr(text, " < ")) != NULL; text += 3) count++;
    CHECK_BETWEEN(count, 1, 6);
}

/* the line of one close of this way */
static void close_by(way next)
{
    check_socket sock, peer;
    check_pair(&sock, &peer);
    line_of[0] = '\0';
    lines_come = 0;
    chosen = next;
    caller(sock);
    CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
    CHECK_IS(lines_come, 1);
    if (next == by_mistake) check_close(sock);
    check_close(peer);
}

static void each_way(int is_on)
{
    check_doing = is_on ? "on" : "off";
    for (check_round = 0; check_round < WAYS; check_round++) {
        close_by(ways[check_round]);
        if (is_on) {
            check_chain(ways[check_round]);
        } else {
            CHECK(strstr(line_of, "caller") == NULL);
        }
    }
}

static void only_with_a_log(void)
{
    check_doing = "no log";
    gc_set_log(NULL, NULL);
    lines_come = 0;
    gc_set_log_caller(1);
    CHECK_IS(gc_close(socket(AF_INET, SOCK_DGRAM, 0), 0), GC_NOT_CONNECTED);
    CHECK_IS(lines_come, 0);
    gc_set_log_caller(0);
}

static void find_own_name(const char *path)
{
    static char room[1024];
    const char *at;
#ifdef _WIN32
    CHECK_BETWEEN(GetModuleFileNameA(NULL, room, sizeof(room)), 1, sizeof(room) - 1);
#else
    CHECK(strlen(path) < sizeof(room));
    strcpy(room, path);
#endif
    (void)path;
    own_name = room;
    for (at = room; *at != '\0'; at++)
        if (*at == '/' || *at == '\\') own_name = at + 1;
}

int main(int argc, char **argv)
{
    CHECK(argc > 0);
    check_start();
    find_own_name(argv[0]);
    reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_set_log(writes_down, NULL);
    each_way(0);
    gc_set_log_caller(1);
    each_way(1);
    gc_set_log_caller(0);
    each_way(0);
    only_with_a_log();
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
    return 0;
}
