// graceful::closing in a loop of the program's own.
#include "test.hpp"

#include <algorithm>
#include <string>

using graceful::outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

// what an event loop does, for one socket
static graceful::result drive(graceful::closing &closing) {
    for (;;) {
        const graceful::progress end = closing.step();
        if (end) return *end;
        CHECK(closing.report().outcome() == outcome::pending);
        const milliseconds wait = (std::min)(closing.timeout(), milliseconds(50));
        if (closing.wants_read())
            check_readable(closing.native(), static_cast<unsigned int>(wait.count()));
        else
            check_sleep(static_cast<unsigned int>(wait.count()));
    }
}

static void ends() {
    check_doing = "to the end";
    connection one;
    graceful::closing closing(one.ours, seconds(60));
    CHECK(closing && !closing.error() && closing.native() == one.ours);
    CHECK(closing.timeout() == milliseconds(0));
    CHECK(!closing.step());
    CHECK(closing.wants_read() && closing.timeout() > seconds(1) && closing.timeout() <= seconds(60));
    CHECK_IS(one.peer_sees(), 0);
    check_send_pattern(one.peer, 3000, 0);
    check_half_close(one.peer);
    graceful::closing moved(std::move(closing));
    CHECK(!closing && moved);
    const graceful::result ended = drive(moved);
    one.give();
    CHECK(ended && ended.closed());
    CHECK_IS(ended.report().drained_bytes, 3000);
    CHECK(moved.step() && moved.step()->outcome() == outcome::graceful);
    CHECK(moved.report().outcome() == outcome::graceful);
    CHECK(!moved.wants_read() && moved.timeout() == (milliseconds::max)());
    closing = std::move(moved);
    CHECK(closing && !moved);
}

static void time_outs() {
    check_doing = "time-out";
    connection one;
    const double since = check_now();
    graceful::closing closing(one.give(), milliseconds(60));
    CHECK(drive(closing).outcome() == outcome::timed_out);
    CHECK_ELAPSED(since, 60, 5000);

    connection two;
    graceful::closing forever(two.give(), graceful::time_limit::infinite());
    CHECK(!forever.step());
    CHECK(forever.timeout() == (milliseconds::max)());
}

static void empty() {
    check_doing = "empty";
    graceful::closing closing;
    CHECK(!closing && closing.error() == outcome::argument);
    CHECK(closing.step() && closing.step()->error() == outcome::argument);
    CHECK(closing.report().is_error() && !closing.wants_read());
    CHECK(closing.native() == graceful::socket::invalid());

    graceful::closing refused(graceful::socket::invalid());
    CHECK(!refused && refused.error() == outcome::not_a_socket);
    graceful::options how;
    how.if_shared = static_cast<graceful::shared>(9U);
    how.on_data = [](const void *, std::size_t) { return true; };
    connection one;
    graceful::socket owner(one.give());
    graceful::closing wrong(std::move(owner), how);
    CHECK(!wrong && wrong.error() == outcome::argument);
    one.ours = owner.release();
    CHECK(one.works());

    graceful::socket giver(one.ours);
    graceful::closing taken(std::move(giver));
    CHECK(taken && !giver && taken.native() == one.give());
}

static void goes_early() {
    check_doing = "goes before its end";
    connection one, two;
    {
        graceful::closing closing(one.ours, seconds(60));
        CHECK(!closing.step());
    }
    CHECK(!check_is_socket(one.give()));
    graceful::options how = seconds(60);
    how.fallback = graceful::then::abort;
    {
        graceful::closing closing(two.give(), how);
        CHECK(!closing.step());
        const size_t aborted = graceful::stats().aborted;
        closing = graceful::closing();
        CHECK_IS(graceful::stats().aborted, aborted + 1);
    }
}

static void data() {
    check_doing = "on_data";
    std::string all;
    graceful::options how = seconds(60);
    how.on_data = [&all](const void *bytes, std::size_t size) {
        all.append(static_cast<const char *>(bytes), size);
        return true;
    };
    connection one;
    graceful::closing closing(one.give(), how);
    how.on_data = nullptr; // it has a copy
    check_send_pattern(one.peer, 70000, 0);
    graceful::closing moved(std::move(closing));
    check_half_close(one.peer);
    CHECK(drive(moved));
    CHECK_IS(all.size(), 70000);
    CHECK(check_is_filled(reinterpret_cast<const unsigned char *>(all.data()), all.size(), 0));

#ifdef TEST_EXCEPTIONS
    check_doing = "on_data throws";
    how.on_data = [](const void *, std::size_t) -> bool { throw std::string("no more"); };
    connection two;
    check_send_pattern(two.peer, 100, 0);
    check_wait_readable(two.ours);
    graceful::closing thrower(two.give(), how);
    std::string caught;
    try {
        drive(thrower);
    } catch (const std::string &what) {
        caught = what;
    }
    CHECK_TEXT(caught.c_str(), "no more");
    CHECK(thrower.step()->outcome() == outcome::stopped); // once only
    CHECK(thrower.report().closed());
#endif
}

int main() {
    check_start();
    ends();
    time_outs();
    empty();
    goes_early();
    data();
    return 0;
}
