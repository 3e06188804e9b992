// What C++98 has, and what later ones have in the same words: close(), abort(), result.
#include "test.hpp"

static int received;

static int count_data(void *, const void *, size_t size) { received += static_cast<int>(size); return 0; }

static void closes() {
    check_doing = "close";
    {
        connection one;
        const graceful::result ended = graceful::close(one.peer_ends().give(), 20000U);
        CHECK(ended ? true : false);
        CHECK(ended.code() == GC_GRACEFUL && !ended.is_error() && ended.closed());
        CHECK_TEXT(ended.name(), "graceful");
        CHECK_IS(ended.report().outcome, GC_GRACEFUL);
        CHECK_IS(ended.report().peer_closed, 1);
        CHECK(!ended.error());
        CHECK_IS(one.peer_sees(), 0);
    }
    {
        connection one; // 5 s are the default: enough
        CHECK(graceful::close(one.peer_ends().give()));
    }
    {
        connection one;
        const double since = check_now();
        const graceful::result ended = graceful::close(one.give(), 30U);
        CHECK_ELAPSED(since, 30, 5000);
        CHECK(!ended && !ended.is_error() && ended.closed() && !ended.error());
        CHECK_IS(ended.code(), GC_TIMED_OUT);
    }
}

static void with_the_c_options() {
    check_doing = "close with gc_options";
    connection one;
    gc_options how = GC_OPTIONS_INIT;
    how.timeout_ms = 20000;
    how.on_data = count_data;
    check_send_pattern(one.peer, 1000, 0);
    CHECK(graceful::close(one.peer_ends().give(), how));
    CHECK_IS(received, 1000);

    connection two;
    how.flags = 0x80;
    const graceful::result refused = graceful::close(two.ours, how);
    CHECK(!refused && refused.is_error() && !refused.closed() && refused.error());
    CHECK_IS(refused.code(), GC_ERR_ARGUMENT);
    CHECK(two.works());
}

static void finishes() {
    check_doing = "finish";
    connection one;
    const graceful::result ended = graceful::finish(one.peer_ends().ours, 20000U);
    CHECK(ended && !ended.closed());
    CHECK(check_is_socket(one.ours));
    CHECK_IS(one.peer_sees(), 0);
}

static void errors() {
    check_doing = "errors";
    const graceful::result ended = graceful::close(static_cast<graceful::native_socket>(-1), 100U);
    CHECK(!ended && ended.is_error() && ended.error());
    CHECK_IS(ended.code(), GC_ERR_NOT_A_SOCKET);
    CHECK_IS(ended.report().outcome, GC_ERR_NOT_A_SOCKET);
    CHECK_TEXT(ended.name(), "not a socket");
    CHECK(graceful::abort(static_cast<graceful::native_socket>(-1)));
    CHECK_IS(graceful::result().code(), GC_PENDING);
    CHECK(!graceful::result());
    CHECK_IS(graceful::result(GC_LOST).code(), GC_LOST);
}

static void aborts() {
    check_doing = "abort";
    connection one;
    CHECK(!graceful::abort(one.give()));
    CHECK(one.peer_was_reset());
}

int main() {
    check_start();
    closes();
    with_the_c_options();
    finishes();
    errors();
    aborts();
    return 0;
}
