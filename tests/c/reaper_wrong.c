/*
 * What is wrong is refused without harm: the socket is untouched, works, and is the
 * caller's; the last error says why, and is left alone where nothing is wrong.
 */
#include "reaper_test.h"

static house home;

static void refuse(gc_reaper *reaper, check_socket sock, const gc_options *options, int code)
{
    told end;
    told_start(&end, sock);
    check_set_last_error(0);
    CHECK_IS(gc_reaper_close(reaper, sock, options, tell, &end), code);
    CHECK(check_last_error() != 0);
    CHECK_IS(end.calls, 0);
    if (reaper != NULL) CHECK_IS(gc_reaper_pending(reaper), 0);
}

static void wrong_options(gc_reaper *reaper, check_socket sock)
{
    union {
        gc_options options;
        unsigned char bytes[sizeof(gc_options) + 32];
    } big;
    gc_options options = GC_OPTIONS_INIT, good = GC_OPTIONS_INIT;
    options.fallback = GC_THEN_KEEP;
    refuse(reaper, sock, &options, GC_ERR_ARGUMENT);
    options = good;
    options.fallback = 77;
    refuse(reaper, sock, &options, GC_ERR_ARGUMENT);
    options = good;
    options.if_shared = 2;
    refuse(reaper, sock, &options, GC_ERR_ARGUMENT);
    options = good;
    options.flags = 8;
    refuse(reaper, sock, &options, GC_ERR_ARGUMENT);
    options = good;
    options.struct_size = 0;
    refuse(reaper, sock, &options, GC_ERR_ARGUMENT);
    options.struct_size = (size_t)-1;
    refuse(reaper, sock, &options, GC_ERR_ARGUMENT);
    memset(&big, 0, sizeof(big));
    big.options = good;
    big.options.struct_size = sizeof(big);
    big.bytes[sizeof(big) - 1] = 1;
    refuse(reaper, sock, &big.options, GC_ERR_ARGUMENT);
}

static void wrong_reapers(void)
{
    union {
        gc_reaper_options options;
        unsigned char bytes[sizeof(gc_reaper_options) + 32];
    } big;
    gc_reaper_options options = GC_REAPER_OPTIONS_INIT, good = GC_REAPER_OPTIONS_INIT;
    gc_reaper *reaper = NULL;
    check_doing = "wrong reapers";
    CHECK_IS(gc_reaper_new(NULL, NULL), GC_ERR_ARGUMENT);
    CHECK_IS(gc_reaper_new(&good, NULL), GC_ERR_ARGUMENT);
    options.when_full = 2;
    check_set_last_error(0);
    CHECK_IS(gc_reaper_new(&options, &reaper), GC_ERR_ARGUMENT);
    CHECK_IS(check_last_error(), CHECK_EINVAL);
    options = good;
    options.struct_size = 0;
    CHECK_IS(gc_reaper_new(&options, &reaper), GC_ERR_ARGUMENT);
    options.struct_size = sizeof(size_t) + 1;
    CHECK_IS(gc_reaper_new(&options, &reaper), GC_ERR_ARGUMENT);
    options.struct_size = (size_t)-1;
    CHECK_IS(gc_reaper_new(&options, &reaper), GC_ERR_ARGUMENT);
    memset(&big, 0, sizeof(big));
    big.options.struct_size = sizeof(big);
    big.bytes[sizeof(big) - 1] = 1;
    CHECK_IS(gc_reaper_new(&big.options, &reaper), GC_ERR_ARGUMENT);
    CHECK(reaper == NULL);
    big.bytes[sizeof(big) - 1] = 0;
    CHECK_IS(gc_reaper_new(&big.options, &reaper), 0);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
    /* an older program's, that knows of no policy */
    options = good;
    options.struct_size = offsetof(gc_reaper_options, when_full);
    options.when_full = 77;
    CHECK_IS(gc_reaper_new(&options, &reaper), 0);
    CHECK_IS(gc_reaper_free(reaper, GC_INFINITE), 0);

    check_doing = "no reaper";
    CHECK_IS(gc_reaper_free(NULL, 0), 0);
    CHECK_IS(gc_reaper_pending(NULL), 0);
    check_set_last_error(0);
    CHECK_IS(gc_reaper_flush(NULL, 0), GC_ERR_ARGUMENT);
    CHECK_IS(check_last_error(), CHECK_EINVAL);
}

static void refusals(void)
{
    gc_reaper *reaper = new_reaper(0, GC_FULL_REFUSE);
    gc_options deferred = GC_OPTIONS_INIT;
    check_socket sock, peer, gone;
    check_doing = "refusals";
    deferred.flags = GC_DEFERRED;
    house_pair(&home, &sock, &peer);
    wrong_options(reaper, sock);
    refuse(NULL, sock, NULL, GC_ERR_ARGUMENT);
    check_works(sock, peer);
    gone = socket(AF_INET, SOCK_STREAM, 0);
    check_close(gone);
    refuse(reaper, gone, NULL, GC_ERR_NOT_A_SOCKET);
    refuse(reaper, gone, &deferred, GC_ERR_NOT_A_SOCKET);
    refuse(reaper, CHECK_NO_SOCKET, NULL, GC_ERR_NOT_A_SOCKET);
    refuse(reaper, CHECK_NO_SOCKET, &deferred, GC_ERR_NOT_A_SOCKET);
    check_set_last_error(0);
    CHECK_IS(gc_close_async(CHECK_NO_SOCKET, 0), GC_ERR_NOT_A_SOCKET);
    CHECK(check_last_error() != 0);
#ifndef _WIN32
    {
        int ends[2];
        CHECK_IS(pipe(ends), 0);
        refuse(reaper, ends[0], NULL, GC_ERR_NOT_A_SOCKET);
        refuse(reaper, ends[1], &deferred, GC_ERR_NOT_A_SOCKET);
        CHECK_IS(fcntl(ends[0], F_GETFD), 0);
        CHECK_IS(write(ends[1], "x", 1), 1);
        check_close(ends[0]);
        check_close(ends[1]);
    }
#endif
    check_close(sock);
    check_close(peer);
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
}

/* what the program finds in errno or WSAGetLastError is its own */
static void errors_are_left_alone(void)
{
    gc_reaper *reaper = NULL;
    check_socket sock, peer;
    int first;
    check_doing = "errors are left alone";
    check_set_last_error(4321);
    CHECK_IS(gc_reaper_new(NULL, &reaper), 0);
    CHECK_IS(check_last_error(), 4321);
    for (first = 0; first < 2; first++) {
        check_round = first;
        house_pair(&home, &sock, &peer);
        check_set_last_error(4321);
        CHECK_IS(gc_reaper_close(reaper, sock, NULL, NULL, NULL), 0);
        CHECK_IS(check_last_error(), 4321);
        CHECK_IS(gc_reaper_flush(reaper, 1), GC_TIMED_OUT);
        CHECK_IS(check_last_error(), 4321);
        CHECK_IS(gc_reaper_pending(reaper), 1);
        CHECK_IS(check_last_error(), 4321);
        check_close(peer);
        check_set_last_error(4321);
        CHECK_IS(gc_reaper_flush(reaper, PATIENCE), 0);
        CHECK_IS(check_last_error(), 4321);
        house_pair(&home, &sock, &peer);
        check_set_last_error(4321);
        CHECK_IS(gc_close_async(sock, 20000), 0);
        CHECK_IS(check_last_error(), 4321);
        check_close(peer);
        check_set_last_error(4321);
        CHECK_IS(gc_flush(PATIENCE), 0);
        CHECK_IS(check_last_error(), 4321);
        house_pair(&home, &sock, &peer);
        check_close(peer);
        check_set_last_error(4321);
        CHECK_IS(gc_close_many(&sock, 1, NULL, NULL), 1);
        CHECK_IS(check_last_error(), 4321);
    }
    CHECK_IS(gc_reaper_free(reaper, 0), 0);
    CHECK_IS(check_last_error(), 4321);
}

int main(void)
{
    check_start();
    house_open(&home);
    CHECK_IS(gc_flush(GC_INFINITE), 0);
    wrong_reapers();
    refusals();
    errors_are_left_alone();
    check_close(home.listener);
    return 0;
}
