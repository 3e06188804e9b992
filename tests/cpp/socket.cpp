// graceful::socket: who owns, what each policy does when the owner goes, what stays on errors.
#include "test.hpp"

#include <vector>

using graceful::outcome;
using graceful::policy;
using std::chrono::milliseconds;
using std::chrono::seconds;

static void owns() {
    check_doing = "ownership";
    graceful::socket empty;
    CHECK(!empty && empty.get() == graceful::socket::invalid());
    CHECK(empty.close().error() == std::errc::not_a_socket);
    CHECK(empty.abort() == outcome::not_a_socket);

    connection one;
    graceful::socket owner(one.ours);
    CHECK(owner && owner.get() == one.ours);
    graceful::socket next(std::move(owner));
    CHECK(!owner && next.get() == one.ours);
    owner = std::move(next);
    CHECK(!next && owner.get() == one.ours);
    graceful::socket &same = owner;
    owner = std::move(same);
    CHECK(owner.get() == one.ours);
    owner.reset(one.ours); // what it has already
    CHECK(owner.get() == one.ours);
    std::swap(owner, next);
    CHECK(!owner && next.release() == one.ours && !next);
    CHECK(one.works());

    // what an assignment throws away is closed
    connection two, three;
    graceful::socket left(two.peer_ends().ours, policy::graceful, seconds(20)), right(three.ours);
    left = std::move(right);
    CHECK(!check_is_socket(two.give()) && left.get() == three.ours);
    CHECK_IS(two.peer_sees(), 0);
    left.set_policy(policy::abort);
    left.reset();
    CHECK(!left && !check_is_socket(three.give()));

    std::vector<graceful::socket> many;
    for (int i = 0; i < 20; i++) {
        connection each;
        many.emplace_back(each.peer_ends().give(), policy::graceful, patience());
        check_close(each.peer);
        each.peer = CHECK_NO_SOCKET;
    }
    many.erase(many.begin(), many.begin() + 7);
    many.clear();
}

static void policies() {
    check_doing = "policy::graceful";
    {
        connection one;
        const double since = check_now();
        { graceful::socket owner(one.give(), policy::graceful, milliseconds(50)); }
        CHECK_ELAPSED(since, 50, 5000);
        CHECK_IS(one.peer_sees(), 0);
    }
    {
        connection one; // unread bytes do not harm the answer, as a bare close would
        check_send_pattern(one.peer, 5000, 0);
        check_wait_readable(one.ours);
        check_send_pattern(one.ours, 20000, 0);
        { graceful::socket owner(one.peer_ends().give(), policy::graceful, patience()); }
        size_t bytes = 0;
        CHECK_IS(check_read_to_end(one.peer, &bytes, 0), 0);
        CHECK_IS(bytes, 20000);
    }
    check_doing = "policy::background";
    {
        connection one;
        const double since = check_now();
        { graceful::socket owner(one.give(), policy::background, seconds(60)); }
        CHECK(check_now() - since < 20000);
        CHECK_IS(one.peer_sees(), 0); // the FIN leaves at once
        CHECK(graceful::flush(0) == outcome::timed_out);
        check_close(one.peer);
        one.peer = CHECK_NO_SOCKET;
        CHECK(!graceful::flush(patience()));
    }
    check_doing = "policy::abort";
    {
        connection one;
        { graceful::socket owner(one.give(), policy::abort); }
        CHECK(one.peer_was_reset());
    }
}

static void shared() {
#ifdef __linux__ // elsewhere only Windows sees other holders, and there is no dup()
    check_doing = "policy::if_last";
    connection one;
    const int other = dup(one.ours);
    CHECK(other >= 0);
    const size_t released = graceful::stats().by_outcome[GC_RELEASED];
    { graceful::socket owner(one.ours, policy::if_last); }
    CHECK(!check_is_socket(one.ours));
    CHECK_IS(graceful::stats().by_outcome[GC_RELEASED], released + 1);
    one.ours = other;
    CHECK(one.works());
    { graceful::socket owner(one.give(), policy::if_last, milliseconds(20)); }
    CHECK_IS(one.peer_sees(), 0);
#endif
}

static void closes() {
    check_doing = "socket::close";
    connection one;
    graceful::socket owner(one.give(), policy::graceful, milliseconds(20));
    graceful::options how = milliseconds(20);
    how.fallback = static_cast<graceful::then>(99U);
    CHECK(owner.close(how).error() == outcome::argument);
    CHECK(owner);
    how.fallback = graceful::then::keep;
    CHECK(owner.close(how).outcome() == outcome::timed_out);
    CHECK(owner && check_is_socket(owner.get())); // kept
    check_half_close(one.peer);
    const graceful::result ended = owner.close(seconds(60));
    CHECK(ended && !owner);

    connection two;
    graceful::socket quick(two.give());
    CHECK(!quick.abort() && !quick);
    connection three;
    graceful::socket later(three.peer_ends().give());
    CHECK(!later.close_async() && !later);
    CHECK(!graceful::flush(patience()));

#ifdef TEST_EXCEPTIONS
    check_doing = "socket::close, on_data throws";
    how = graceful::options(seconds(20));
    how.on_data = [](const void *, std::size_t) -> bool { throw 42; };
    connection four;
    graceful::socket thrown(four.give());
    check_send_pattern(four.peer, 100, 0);
    int caught = 0;
    try {
        thrown.close(how);
    } catch (int what) {
        caught = what;
    }
    CHECK_IS(caught, 42);
    CHECK(!thrown);
#endif
}

static void not_sockets() {
    check_doing = "a number that is no socket";
    for (int i = 0; i < 4; i++) {
        static const policy all[] = { policy::graceful, policy::background, policy::abort, policy::if_last };
        connection one;
        const check_socket sock = one.give();
        check_close(sock);
        graceful::socket owner(sock, all[i]); // says nothing, does nothing
    }
}

#ifndef _WIN32 // where a number can be chosen
// Its number is another one's as soon as the owner has been told that it is none: that one stays open.
static void not_owned() {
    check_doing = "after not_a_socket nothing is owned";
    graceful::reaper background;
    for (int i = 0; i < 6; i++) {
        check_round = i;
        connection one;
        const int number = dup(one.ours);
        CHECK(number >= 0);
        check_close(number);
        std::vector<graceful::socket> owners;
        owners.emplace_back(number);
        graceful::socket &owner = owners.front();
        if (i == 0) CHECK(owner.close().outcome() == outcome::not_a_socket);
        if (i == 1) CHECK(owner.abort() == outcome::not_a_socket);
        if (i == 2) CHECK(owner.close_async() == outcome::not_a_socket);
        if (i == 3) CHECK(background.close(std::move(owner)) == outcome::not_a_socket);
        if (i == 4) CHECK(graceful::closing(std::move(owner)).error() == outcome::not_a_socket);
        if (i == 5) CHECK(graceful::close_many(owners)[0].outcome() == outcome::not_a_socket);
        CHECK(!owner);
        CHECK_IS(dup2(one.ours, number), number);
        owners.clear();
        CHECK(check_is_socket(number));
        check_close(number);
        CHECK(one.works());
    }
}
#else
static void not_owned() {}
#endif

int main() {
    check_start();
    owns();
    policies();
    shared();
    closes();
    not_sockets();
    not_owned();
    return 0;
}
