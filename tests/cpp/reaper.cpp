// graceful::reaper: callbacks come once, and what they hold is freed once, on every path.
#include "test.hpp"

#include <atomic>
#include <memory>
#include <vector>

using graceful::outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;

static void callbacks() {
    check_doing = "callbacks";
    std::atomic<int> calls(0), graceful_ones(0);
    std::atomic<std::size_t> bytes(0);
    const std::shared_ptr<int> held = std::make_shared<int>(1);
    graceful::reaper reaper;
    CHECK(reaper && !reaper.error());
    graceful::options how = seconds(60);
    how.on_data = [&bytes, held](const void *, std::size_t size) { bytes += size; return true; };
    for (int i = 0; i < 40; i++) {
        connection one;
        check_send_pattern(one.peer, 500, 0);
        const check_socket sock = one.ours;
        CHECK(!reaper.close(one.peer_ends().give(), how,
                            [&, held, sock](graceful::native_socket id, const graceful::result &ended) {
                                if (id == sock && ended && ended.closed()) graceful_ones++;
                                calls++;
                            }));
    }
    CHECK(!reaper.flush(patience()));
    CHECK_IS(reaper.pending(), 0);
    CHECK_IS(calls, 40);
    CHECK_IS(graceful_ones, 40);
    CHECK_IS(bytes, 40 * 500);
    how.on_data = nullptr;
    CHECK_IS(held.use_count(), 1);

    connection plain; // neither callback nor data: takes no memory
    CHECK(!reaper.close(plain.peer_ends().give()));
    connection owned;
    graceful::socket owner(owned.peer_ends().give());
    CHECK(!reaper.close(std::move(owner), milliseconds(500)) && !owner);
    graceful::reaper next(std::move(reaper));
    CHECK(!reaper && next && reaper.pending() == 0);
    CHECK(reaper.flush(0) == outcome::argument);
    CHECK(!next.flush(patience()));
    reaper = std::move(next);
    CHECK(!reaper.stop(patience()) && !reaper && !reaper.stop(0));
    CHECK(reaper.close(graceful::socket::invalid()) == outcome::argument);
}

static void refused() {
    check_doing = "refused";
    const std::shared_ptr<int> held = std::make_shared<int>(1);
    std::atomic<int> calls(0);
    const auto done = [&calls, held](graceful::native_socket, const graceful::report &) { calls++; };
    const auto data = [held](const void *, std::size_t) { return true; };
    graceful::reaper_options one_only;
    one_only.max_pending = 1;
    one_only.when_full = graceful::full::refuse;
    one_only.timeout = milliseconds(10);
    connection first, second;
    {
        graceful::reaper reaper(one_only);
        graceful::options how = seconds(60);
        how.on_data = data;
        CHECK(reaper.close(graceful::socket::invalid(), how, done) == std::errc::not_a_socket);
        CHECK(!reaper.close(first.give(), how, done));
        CHECK(reaper.close(second.ours, how, done) == std::errc::not_enough_memory);
        graceful::socket owner(second.ours);
        CHECK(reaper.close(std::move(owner), how, done) == outcome::resources);
        CHECK(owner.release() == second.ours);
        how.fallback = graceful::then::keep;
        CHECK(reaper.close(second.ours, how, done) == outcome::argument);
        CHECK(second.works());
        CHECK_IS(reaper.pending(), 1);
        CHECK(reaper.flush(milliseconds(20)) == outcome::timed_out);
        CHECK_IS(calls, 0);
    } // the destructor cuts it off after 10 ms
    CHECK_IS(calls, 1);
    CHECK_IS(held.use_count(), 3); // held, done, data: nothing is left of the others
}

static void evicted() {
    check_doing = "evicted";
    std::atomic<int> was_evicted(0), calls(0);
    graceful::reaper_options how;
    how.max_pending = 2;
    how.timeout = 0;
    {
        graceful::reaper reaper(how);
        std::vector<std::unique_ptr<connection>> all;
        for (int i = 0; i < 6; i++) {
            all.emplace_back(new connection);
            CHECK(!reaper.close(all.back()->give(), seconds(60),
                                [&](graceful::native_socket, const graceful::report &told) {
                                    if (told.outcome == GC_EVICTED) was_evicted++;
                                    calls++;
                                }));
        }
        CHECK(reaper.stop(milliseconds(20)) == outcome::timed_out);
    }
    CHECK_IS(calls, 6);
    CHECK_IS(was_evicted, 6);
}

static void own_thread() {
    check_doing = "on its own thread";
    std::atomic<int> said(0);
    connection one, two;
    graceful::reaper reaper;
    graceful::reaper *const pointer = &reaper;
    const check_socket more = two.peer_ends().give();
    CHECK(!reaper.close(one.peer_ends().give(), seconds(60),
                        [&said, pointer, more](graceful::native_socket, const graceful::report &) {
                            if (pointer->stop(0) == outcome::argument && *pointer) said++;
                            if (!pointer->close(more, seconds(60),
                                                [&said](graceful::native_socket, const graceful::result &ended) {
                                                    if (ended) said++;
                                                }))
                                said++;
                        }));
    CHECK(!reaper.flush(patience()));
    CHECK_IS(said, 3);
}

static void thrown() {
#ifdef TEST_EXCEPTIONS
    check_doing = "callbacks throw";
    const std::shared_ptr<int> held = std::make_shared<int>(1);
    std::atomic<int> calls(0), stopped(0);
    graceful::reaper reaper;
    for (int i = 0; i < 20; i++) {
        connection one;
        graceful::options how = seconds(60);
        if (i % 2 != 0) how.on_data = [held](const void *, std::size_t) -> bool { throw 1; };
        check_send_pattern(one.peer, 10, 0);
        check_wait_readable(one.ours);
        CHECK(!reaper.close(one.peer_ends().give(), how,
                            [&, held](graceful::native_socket, const graceful::result &ended) {
                                if (ended.outcome() == outcome::stopped) stopped++;
                                calls++;
                                throw held;
                            }));
    }
    CHECK(!reaper.flush(patience()));
    CHECK_IS(calls, 20);
    CHECK_IS(stopped, 10);
    CHECK_IS(held.use_count(), 1);
#endif
}

static void many_threads() {
    check_doing = "many threads";
    static graceful::reaper *reaper;
    static std::atomic<int> calls(0);
    graceful::reaper shared;
    reaper = &shared;
    check_thread threads[4];
    for (check_thread &thread : threads)
        check_thread_start(&thread, [](void *) {
            for (int i = 0; i < 25; i++) {
                connection one;
                CHECK(!reaper->close(one.peer_ends().give(), seconds(60),
                                     [](graceful::native_socket, const graceful::result &) { calls++; }));
                check_close(one.peer);
                one.peer = CHECK_NO_SOCKET;
            }
        }, nullptr);
    for (check_thread &thread : threads) check_thread_join(&thread);
    CHECK(!shared.stop(patience()));
    CHECK_IS(calls, 100);
}

int main() {
    check_start();
    callbacks();
    refused();
    evicted();
    own_thread();
    thrown();
    many_threads();
    return 0;
}
