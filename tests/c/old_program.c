/*
 * A program that was compiled against version 0.1.0: what its header said is
 * written out here and must never be changed. Whatever is added to the library, a
 * binary like this one goes on working, and needs no other symbol than before.
 */
#include "check.h"

#ifdef __cplusplus
extern "C" {
#endif
#ifdef _WIN32
typedef size_t old_socket;
#define OLD_CDECL __cdecl
#define OLD_STDCALL __stdcall
#else
typedef int old_socket;
#define OLD_CDECL
#define OLD_STDCALL
#endif
typedef int (*old_data_fn)(void *user, const void *data, size_t size);
typedef struct old_options {
    size_t struct_size;
    unsigned int timeout_ms, idle_timeout_ms, peer_first_ms, fallback, if_shared, flags;
    size_t max_drain_bytes;
    old_data_fn on_data;
    void *user;
} old_options;
typedef struct old_report {
    size_t struct_size;
    int outcome, system_error, closed, peer_closed;
    size_t drained_bytes, unacked_bytes, elapsed_us;
} old_report;
int OLD_CDECL gc_close(old_socket sock, unsigned int timeout_ms);
int OLD_CDECL gc_close_with(old_socket sock, const old_options *options, old_report *report);
int OLD_CDECL gc_abort(old_socket sock);
int OLD_STDCALL gc_closesocket(old_socket sock);
void OLD_CDECL gc_set_default_timeout(unsigned int timeout_ms);
const char *OLD_CDECL gc_outcome_name(int code);
const char *OLD_CDECL gc_version_string(void);
unsigned int OLD_CDECL gc_version_number(void);
#ifdef __cplusplus
}
#endif

static size_t heard;

static int OLD_CDECL hears(void *user, const void *data, size_t size)
{
    CHECK(user == &heard);
    CHECK(check_is_filled((const unsigned char *)data, size, heard));
    heard += size;
    return heard > 2500;
}

/* a connection whose peer has said so many bytes and its FIN */
static check_socket ended(check_socket *peer, size_t bytes)
{
    check_socket sock;
    check_pair(&sock, peer);
    check_send_pattern(*peer, bytes, 0);
    check_half_close(*peer);
    check_wait_readable(sock);
    return sock;
}

static void structs(void)
{
    old_options options = { sizeof(old_options), 20000, 0, 0, 0, 0, 0, 0, NULL, NULL };
    old_report report;
    check_socket sock, peer;
    unsigned int shared;
    memset(&report, 0x77, sizeof(report));
    report.struct_size = sizeof(report);
    options.on_data = hears;
    options.user = &heard;
    check_doing = "all arrives";
    sock = ended(&peer, 2000);
    CHECK_IS(gc_close_with(sock, &options, &report), 0);
    CHECK_IS(report.outcome, 0);
    CHECK_IS(report.system_error, 0);
    CHECK_IS(report.closed, 1);
    CHECK_IS(report.peer_closed, 1);
    CHECK_IS(report.drained_bytes, 2000);
    CHECK(report.unacked_bytes == 0 || report.unacked_bytes == (size_t)-1);
    CHECK_BETWEEN(report.elapsed_us, 1, 20000000);
    CHECK_IS(heard, 2000);
    check_close(peer);

    check_doing = "stopped is 5";
    heard = 0;
    sock = ended(&peer, 10000);
    CHECK_IS(gc_close_with(sock, &options, &report), 5);
    check_close(peer);

    check_doing = "drain limit is 4";
    options.on_data = NULL;
    options.max_drain_bytes = 1000;
    sock = ended(&peer, 10000);
    CHECK_IS(gc_close_with(sock, &options, &report), 4);
    check_close(peer);
    options.max_drain_bytes = 0;

    for (shared = 0; shared <= 1; shared++) {
        check_doing = "timed out is 1, keep is 2, abort is 1";
        check_pair(&sock, &peer);
        options.if_shared = shared;
        options.fallback = 2;
        options.timeout_ms = 20000;
        options.idle_timeout_ms = 20;
        CHECK_IS(gc_close_with(sock, &options, &report), 1);
        CHECK_IS(report.closed, 0);
        options.fallback = 1;
        options.timeout_ms = 20;
        options.idle_timeout_ms = 0;
        options.flags = 1; /* GC_DEFERRED means nothing here */
        CHECK_IS(gc_close_with(sock, &options, &report), 1);
        CHECK_IS(report.closed, 1);
        options.flags = 0;
        check_close(peer);
    }

    check_doing = "argument is -2";
    options.fallback = 77;
    CHECK_IS(gc_close_with(CHECK_NO_SOCKET, &options, &report), -2);
    CHECK_IS(report.outcome, -2);
}

static void functions(void)
{
    check_socket sock, peer;
    check_doing = "functions";
    sock = ended(&peer, 1000);
    CHECK_IS(gc_close(sock, 0xFFFFFFFFU), 0);
    CHECK_IS(gc_close(sock, 0xFFFFFFFFU), -1);
    check_close(peer);

    check_pair(&sock, &peer);
    check_reset(peer);
    check_wait_readable(sock);
    CHECK_IS(gc_close(sock, 1000), 2);

    CHECK_IS(gc_close(socket(AF_INET, SOCK_STREAM, 0), 1000), 6);

    gc_set_default_timeout(20000);
    sock = ended(&peer, 1000);
    CHECK_IS(gc_closesocket(sock), 0);
    CHECK_IS(gc_closesocket(sock), -1);
    check_close(peer);

    check_pair(&sock, &peer);
    CHECK_IS(gc_abort(sock), 0);
    CHECK_IS(gc_abort(sock), -1);
    check_close(peer);

    CHECK_TEXT(gc_outcome_name(1), "timed out");
    CHECK(gc_version_number() >= 100);
    CHECK(gc_version_string()[0] != '\0');
}

int main(void)
{
    check_start();
    structs();
    functions();
    return 0;
}
