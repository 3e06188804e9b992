// Every allocation of the C++ face may fail: the socket stays the caller's, nothing leaks, and a
// plain close takes no memory at all.
#include "test.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <new>

using graceful::outcome;
using std::chrono::seconds;

// the library has an allocator of its own: only what C++ takes is counted
static std::atomic<long> in_use(0), left(-1), taken(0);

static void *take(std::size_t size) noexcept {
    taken++;
    if (left == 0) return nullptr;
    if (left > 0) left--;
    void *const memory = std::malloc(size == 0 ? 1 : size);
    if (memory != nullptr) in_use++;
    return memory;
}
static void give(void *memory) noexcept {
    if (memory == nullptr) return;
    in_use--;
    std::free(memory);
}
void *operator new(std::size_t size) {
    void *const memory = take(size);
#ifdef TEST_EXCEPTIONS
    if (memory == nullptr) throw std::bad_alloc();
#else
    if (memory == nullptr) std::abort();
#endif
    return memory;
}
void *operator new(std::size_t size, const std::nothrow_t &) noexcept { return take(size); }
void operator delete(void *memory) noexcept { give(memory); }
void operator delete(void *memory, std::size_t) noexcept { give(memory); }
void operator delete(void *memory, const std::nothrow_t &) noexcept { give(memory); }

static bool data(const void *, std::size_t) { return true; }
static void done(graceful::native_socket, const graceful::report &) {}

static void none_taken() {
    check_doing = "no memory is taken";
    connection one, two, three, four;
    graceful::reaper reaper;
    const long before = taken;
    CHECK(graceful::close(one.peer_ends().give(), seconds(60)));
    { graceful::socket owner(two.peer_ends().give()); }
    CHECK(!graceful::close_async(three.peer_ends().give()));
    CHECK(!reaper.close(four.peer_ends().give()));
    CHECK(!reaper.flush(patience()) && !graceful::flush(patience()));
    CHECK_IS(taken, before);
}

static void not_thrown() {
    check_doing = "errors instead of exceptions";
    connection one;
    graceful::reaper reaper;
    graceful::options how = seconds(60);
    how.on_data = data; // a plain function fits into a std::function
    const long before = in_use;
    left = 0;
    CHECK(reaper.close(one.ours, how, done) == outcome::resources);
    CHECK(reaper.close(one.ours, how) == std::errc::not_enough_memory);
    CHECK(reaper.close(one.ours, 5, done) == outcome::resources);
    graceful::socket owner(one.ours);
    CHECK(reaper.close(std::move(owner), 5, done) == outcome::resources);
    CHECK(owner.release() == one.ours);
    graceful::closing closing(one.ours, how);
    CHECK(!closing && closing.error() == outcome::resources);
    CHECK(graceful::set_log([](outcome, const char *) {}) == outcome::resources);
    left = -1;
    CHECK_IS(in_use, before);
    CHECK(one.works());
}

static void thrown_before_anything_is_done() {
#ifdef TEST_EXCEPTIONS
    check_doing = "close_many";
    connection one, two;
    const std::array<graceful::native_socket, 2> both = { { one.ours, two.ours } };
    long fails = 0;
    for (;;) {
        const long before = in_use;
        bool failed = false;
        left = fails;
        try {
            const std::vector<graceful::result> ended = graceful::close_many(both, 0);
            CHECK_IS(ended.size(), 2);
        } catch (const std::bad_alloc &) {
            failed = true;
        }
        left = -1;
        CHECK_IS(in_use, before);
        if (!failed) break;
        CHECK(one.works() && two.works());
        CHECK(++fails < 100);
    }
    CHECK(fails >= 3);
    one.give();
    two.give();
#endif
}

static void all_given_back() {
    check_doing = "all is given back";
    const long before = in_use;
    for (check_round = 0; check_round < 30; check_round++) {
        connection one, two, three, four;
        std::array<char, 100> large; // too much for the inside of a std::function
        large.fill(1);
        graceful::options how = seconds(60);
        how.on_data = [large](const void *, std::size_t) { return large[0] == 1; };
        check_send_pattern(one.peer, 100, 0);
        check_send_pattern(two.peer, 100, 0);
        CHECK(graceful::close(one.peer_ends().give(), how));
        graceful::reaper reaper;
        CHECK(!reaper.close(two.peer_ends().give(), how,
                            [large](graceful::native_socket, const graceful::report &) { (void)large; }));
        CHECK(reaper.close(graceful::socket::invalid(), how, done));
        graceful::closing closing(three.give(), how);
        CHECK(!closing.step());
        CHECK(!graceful::set_log([large](outcome, const char *) { (void)large; }));
        CHECK(!graceful::close(four.give(), 0));
        CHECK(!graceful::set_log(nullptr));
    }
    CHECK_IS(in_use, before);
}

int main() {
    check_start();
    graceful::close_async(graceful::socket::invalid()); // starts what is started once
    none_taken();
    not_thrown();
    thrown_before_anything_is_done();
    all_given_back();
    return 0;
}
