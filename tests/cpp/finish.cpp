// What 0.2 has added: all but the close, the end at the last acknowledgement, the background that goes on, and
// what its callbacks are told; and what an owner owns afterwards.
#include "test.hpp"

#include <atomic>
#include <chrono>

using graceful::outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

static void finished() {
    check_doing = "finish";
    connection one;
    one.peer_ends();
    const graceful::result end = graceful::finish(one.ours, seconds(20));
    CHECK(end.outcome() == outcome::graceful && !end.closed());
    CHECK(check_is_socket(one.ours));
    CHECK_IS(one.peer_sees(), 0);

    check_doing = "finish, of an owner";
    connection another;
    graceful::socket owner(another.give());
    another.peer_ends();
    const graceful::result owned = owner.finish();
    CHECK(owned.outcome() == outcome::graceful && owner);
    CHECK(check_is_socket(owner.get()));
    CHECK(owner.close().outcome() != outcome::not_a_socket);
    CHECK(!owner);
    CHECK_IS(another.peer_sees(), 0);

    check_doing = "finish, of no socket";
    connection closed;
    const graceful::native_socket number = closed.ours;
    check_close(closed.give());
    graceful::socket none(number);
    CHECK(none.finish(milliseconds(1)).outcome() == outcome::not_a_socket && !none);

    check_doing = "finish, refused";
    connection refused;
    graceful::socket kept(refused.ours);
    graceful::options wrong;
    wrong.fallback = static_cast<graceful::then>(77);
    CHECK(kept.finish(wrong).outcome() == outcome::argument && kept);
    CHECK(kept.release() == refused.ours && refused.works());
}

static void delivered() {
    check_doing = "until_acked";
    connection one;
    graceful::options how(milliseconds(300));
    how.until_acked = true;
    CHECK_IS(check_send(one.ours, "last words", 10), 10);
    const graceful::result end = graceful::close(one.give(), how);
#ifdef __linux__
    CHECK(end.outcome() == outcome::delivered);
    CHECK_TEXT(end.name(), "delivered");
#else
    CHECK(end.outcome() == outcome::delivered || end.outcome() == outcome::timed_out);
#endif
    CHECK(end.closed() && !end.is_error());
}

static void continued() {
    check_doing = "then::background";
    connection one;
    graceful::socket owner(one.give());
    graceful::options how(0);
    how.fallback = graceful::then::background;
    how.background = seconds(20);
    const graceful::result end = owner.close(how);
    CHECK(end.outcome() == outcome::continued && !owner);
    CHECK_TEXT(graceful::name(end.outcome()), "continued");
    CHECK(graceful::flush(milliseconds(30)) == outcome::timed_out);
    CHECK_IS(one.peer_sees(), 0);
    check_close(one.peer);
    one.peer = CHECK_NO_SOCKET;
    CHECK(!graceful::flush(patience()));
}

static void in_the_background() {
    check_doing = "close_async and its callback";
    connection one;
    std::atomic<int> code(GC_PENDING);
    std::atomic<int> bytes(0);
    graceful::options how = graceful::options::for_server();
    CHECK_IS(how.timeout.ms(), 30000);
    CHECK_IS(how.idle_timeout.ms(), 5000);
    CHECK_IS(how.max_drain_bytes, 67108864);
    how.on_data = [&](const void *, std::size_t size) {
        bytes += static_cast<int>(size);
        return true;
    };
    CHECK_IS(check_send(one.peer, "more", 4), 4);
    CHECK(!graceful::close_async(one.give(), how, [&](graceful::native_socket, const graceful::result &end) {
        code = end.code();
    }));
    one.peer_ends();
    CHECK(!graceful::flush(patience()));
    CHECK_IS(code, GC_GRACEFUL);
    CHECK_IS(bytes, 4);

    check_doing = "close_async, by a time alone";
    connection another;
    CHECK(!graceful::close_async(another.give(), seconds(20)));
    another.peer_ends();
    CHECK(!graceful::flush(patience()));

    check_doing = "close_async, refused";
    connection kept;
    how.keep_open = true;
    CHECK(graceful::close_async(kept.ours, how) == outcome::argument);
    CHECK(kept.works());
}

static void log_of_refused_calls() {
    check_doing = "the log of a refused call";
    std::string told;
    outcome code = outcome::graceful;
    CHECK(!graceful::set_log([&](outcome of, const char *line) {
        code = of;
        told = line;
    }));
    graceful::options wrong;
    wrong.if_shared = static_cast<graceful::shared>(9);
    CHECK(graceful::close(CHECK_NO_SOCKET, wrong).outcome() == outcome::argument);
    CHECK(code == outcome::argument);
    CHECK(told.find("if_shared is 9") != std::string::npos);
    CHECK(!graceful::set_log(graceful::log_function()));
}

int main() {
    check_start();
    finished();
    delivered();
    continued();
    in_the_background();
    log_of_refused_calls();
    return 0;
}
