// close_many(), stats() and set_log().
#include "test.hpp"

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <string>

using graceful::outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

static void many() {
    check_doing = "close_many";
    connection one, two, three;
    one.peer_ends();
    three.peer_ends();
    const graceful::native_socket none = graceful::socket::invalid();
    const std::array<graceful::native_socket, 4> all = { { one.give(), two.give(), none, three.give() } };
    const double since = check_now();
    const std::vector<graceful::result> ended = graceful::close_many(all, milliseconds(50));
    CHECK_ELAPSED(since, 50, 5000);
    CHECK_IS(ended.size(), 4);
    CHECK(ended[0] && ended[3] && ended[3].closed());
    CHECK(ended[1].outcome() == outcome::timed_out);
    CHECK(ended[2].error() == std::errc::not_a_socket);
    CHECK(graceful::close_many(std::vector<graceful::native_socket>()).empty());

    check_doing = "close_many, owners";
    std::list<graceful::socket> owners;
    connection four, five;
    owners.emplace_back(four.peer_ends().give());
    owners.emplace_back();
    owners.emplace_back(five.give());
    graceful::options how = milliseconds(20);
    how.fallback = graceful::then::keep;
    const std::vector<graceful::result> kept = graceful::close_many(owners, how);
    CHECK(kept[0] && !owners.front());
    CHECK(kept[1].is_error());
    CHECK(kept[2].outcome() == outcome::timed_out && check_is_socket(owners.back().get()));
    how.fallback = static_cast<graceful::then>(5U);
    CHECK(graceful::close_many(owners, how).back().error() == outcome::argument);
    CHECK(owners.back());
    owners.back().set_policy(graceful::policy::abort);

#ifdef TEST_EXCEPTIONS
    check_doing = "close_many, on_data throws";
    how = graceful::options(seconds(60));
    how.on_data = [](const void *, std::size_t) -> bool { throw 7; };
    connection six;
    check_send_pattern(six.peer, 10, 0);
    std::array<graceful::socket, 1> last = { { graceful::socket(six.peer_ends().give()) } };
    int caught = 0;
    try {
        graceful::close_many(last, how);
    } catch (int what) {
        caught = what;
    }
    CHECK_IS(caught, 7);
    CHECK(!last[0]);
#endif
}

static void figures() {
    check_doing = "stats";
    const graceful::statistics before = graceful::stats();
    connection one;
    CHECK(graceful::close(one.peer_ends().give()));
    const graceful::statistics after = graceful::stats();
    CHECK_IS(after.closed, before.closed + 1);
    CHECK_IS(after.by_outcome[GC_GRACEFUL], before.by_outcome[GC_GRACEFUL] + 1);
}

static void times_out() {
    connection one;
    CHECK(graceful::close(one.give(), 0).outcome() == outcome::timed_out);
}

static void logs() {
    check_doing = "set_log";
    const std::shared_ptr<int> held = std::make_shared<int>(1);
    std::string text;
    std::atomic<int> calls(0);
    CHECK(!graceful::set_log([&, held](outcome code, const char *line) {
        CHECK(code == outcome::timed_out);
        text = line;
        calls++;
    }));
    times_out();
    CHECK_IS(calls, 1);
    CHECK(text.find("timed out") != std::string::npos && text.find("127.0.0.1:") == 0);
    connection good;
    CHECK(graceful::close(good.peer_ends().give()));
    CHECK_IS(calls, 1);
    CHECK_IS(held.use_count(), 2);
    CHECK(!graceful::set_log([&calls](outcome, const char *) { calls += 10; }));
    CHECK_IS(held.use_count(), 1); // the former one is gone
    times_out();
    CHECK_IS(calls, 11);
    CHECK(text.find("caller") == std::string::npos);
    graceful::set_log_caller(true);
    CHECK(!graceful::set_log([&text](outcome, const char *line) { text = line; }));
    times_out();
    CHECK(text.find("; caller: ") != std::string::npos);
    graceful::set_log_caller(false);
    CHECK(!graceful::set_log(nullptr));
    times_out();
    CHECK_IS(calls, 11);

    check_doing = "set_log, replaced by itself while it runs";
    const auto ends_itself = [&calls, held](outcome, const char *) {
        CHECK(!graceful::set_log(nullptr));
        calls += *held; // still there
    };
    CHECK(!graceful::set_log(ends_itself));
    times_out();
    CHECK_IS(calls, 12);
    CHECK_IS(held.use_count(), 2);
#ifdef TEST_EXCEPTIONS
    CHECK(!graceful::set_log([](outcome, const char *) { throw 1; }));
    times_out();
    CHECK(!graceful::set_log(nullptr));
#endif
}

static void logs_from_many_threads() {
    check_doing = "set_log, many threads";
    static std::atomic<long> calls(0);
    static std::atomic<bool> enough(false);
    check_thread threads[3];
    for (check_thread &thread : threads)
        check_thread_start(&thread, [](void *) {
            while (!enough) times_out();
        }, nullptr);
    const int rounds = check_is_slow() ? 300 : 2000;
    for (check_round = 0; check_round < rounds; check_round++) {
        const std::shared_ptr<std::string> held = std::make_shared<std::string>(100, 'x');
        CHECK(!graceful::set_log([held](outcome, const char *) { calls += held->at(99) == 'x'; }));
        if (check_round % 64 == 0) check_sleep(1);
    }
    enough = true;
    for (check_thread &thread : threads) check_thread_join(&thread);
    CHECK(calls > 0);
    CHECK(!graceful::set_log(graceful::log_function()));
}

int main() {
    check_start();
    many();
    figures();
    logs();
    logs_from_many_threads();
    return 0;
}
