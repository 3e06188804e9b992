// graceful::close() and friends: time-outs, options, on_data that stops or throws.
#include "test.hpp"

#include <string>

using graceful::outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

static void time_outs() {
    check_doing = "time-outs";
    for (check_round = 0; check_round < 3; check_round++) {
        connection one;
        const double since = check_now();
        const graceful::result ended = check_round == 0   ? graceful::close(one.give(), milliseconds(40))
                                       : check_round == 1 ? graceful::close(one.give(), 40)
                                                          : graceful::close(one.give(), std::chrono::microseconds(39001));
        CHECK_ELAPSED(since, 40, 5000);
        CHECK(ended.outcome() == outcome::timed_out && ended.closed() && !ended.error());
        CHECK(ended.elapsed() >= milliseconds(40) && ended.elapsed() < seconds(50));
        CHECK(!ended.system_error());
        CHECK_IS(one.peer_sees(), 0);
    }
    connection one;
    CHECK(graceful::close(one.peer_ends().give(), (seconds::max)()));
    connection two;
    CHECK(graceful::close(two.peer_ends().give()));
    connection three;
    CHECK(graceful::close(three.give(), seconds(-1)).outcome() == outcome::timed_out);
}

static void tuned() {
    check_doing = "options";
    graceful::options how = seconds(20);
    how.max_drain_bytes = 10;
    connection one;
    check_send_pattern(one.peer, 1000, 0);
    CHECK(graceful::close(one.give(), how).outcome() == outcome::drain_limit);

    how = graceful::options(milliseconds(20));
    how.fallback = graceful::then::keep;
    connection two;
    const graceful::result kept = graceful::close(two.ours, how);
    CHECK(kept.outcome() == outcome::timed_out && !kept.closed());
    CHECK(check_is_socket(two.ours));

    how.fallback = graceful::then::abort;
    const size_t aborted = graceful::stats().aborted;
    CHECK(graceful::close(two.give(), how).closed());
    CHECK_IS(graceful::stats().aborted, aborted + 1);

    how = graceful::options(seconds(20));
    how.idle_timeout = milliseconds(30);
    connection three;
    const double since = check_now();
    CHECK(graceful::close(three.give(), how).outcome() == outcome::timed_out);
    CHECK_ELAPSED(since, 30, 10000);
}

static void errors() {
    check_doing = "errors";
    const graceful::native_socket none = graceful::socket::invalid();
    CHECK(graceful::close(none).error() == std::errc::not_a_socket);
    CHECK(graceful::close(none).outcome() == outcome::not_a_socket);
    CHECK(graceful::abort(none) == outcome::not_a_socket);
    CHECK(graceful::close_async(none) == std::errc::bad_file_descriptor);
    graceful::options how;
    how.fallback = static_cast<graceful::then>(77U);
    connection one;
    CHECK(graceful::close(one.ours, how).error() == std::errc::invalid_argument);
    CHECK(one.works());
}

static void data() {
    check_doing = "on_data";
    std::string all;
    graceful::options how = seconds(20);
    how.on_data = [&all](const void *bytes, std::size_t size) {
        all.append(static_cast<const char *>(bytes), size);
        return true;
    };
    connection one;
    check_send_pattern(one.peer, 100000, 0);
    const graceful::result ended = graceful::close(one.peer_ends().give(), how);
    CHECK(ended);
    CHECK_IS(all.size(), 100000);
    CHECK_IS(ended.report().drained_bytes, 100000);
    CHECK(check_is_filled(reinterpret_cast<const unsigned char *>(all.data()), all.size(), 0));

    int calls = 0;
    how.on_data = [&calls](const void *, std::size_t) { calls++; return false; };
    connection two;
    check_send_pattern(two.peer, 1000, 0);
    CHECK(graceful::close(two.give(), how).outcome() == outcome::stopped);
    CHECK_IS(calls, 1);
}

static void thrown() {
#ifdef TEST_EXCEPTIONS
    check_doing = "on_data throws";
    graceful::options how = seconds(20);
    how.on_data = [](const void *, std::size_t) -> bool { throw std::string("enough"); };
    for (check_round = 0; check_round < 50; check_round++) {
        connection one;
        std::string caught;
        check_send_pattern(one.peer, 1000, 0);
        check_wait_readable(one.ours);
        const check_socket sock = one.ours;
        if (check_round % 2 != 0) how.fallback = graceful::then::keep;
        else how.fallback = graceful::then::close;
        try {
            graceful::close(sock, how);
        } catch (const std::string &what) {
            caught = what;
        }
        CHECK_TEXT(caught.c_str(), "enough");
        CHECK(check_is_socket(sock) == (how.fallback == graceful::then::keep));
        if (how.fallback != graceful::then::keep) one.give();
    }
    // an empty function that is called all the same is another's bug, and an exception too
    how.fallback = graceful::then::close;
    graceful::data_function inner;
    how.on_data = [&inner](const void *bytes, std::size_t size) { return inner(bytes, size); };
    connection two;
    check_send_pattern(two.peer, 10, 0);
    bool caught = false;
    try {
        graceful::close(two.give(), how);
    } catch (const std::bad_function_call &) {
        caught = true;
    }
    CHECK(caught);
#endif
}

static void background() {
    check_doing = "close_async";
    connection one, two;
    CHECK(!graceful::close_async(one.give(), seconds(20)));
    CHECK(graceful::flush(milliseconds(10)) == std::errc::timed_out);
    check_half_close(one.peer);
    CHECK(!graceful::flush(patience()));
    CHECK(!graceful::close_async(two.peer_ends().give()));
    CHECK(!graceful::flush(seconds(60)));
    CHECK_IS(two.peer_sees(), 0);
}

int main() {
    check_start();
    time_outs();
    tuned();
    errors();
    data();
    thrown();
    background();
    return 0;
}
