// What the C++ tests share, on top of the C tests' checks: pairs of connected sockets and the
// macros that tell which language this is. Each program exits with 0, 1 or 77 as those do.
#ifndef CPP_TEST_INCLUDED
#define CPP_TEST_INCLUDED

#include "../c/check.h"

#include "graceful_close.hpp"

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
#define TEST_EXCEPTIONS 1
#endif

#if defined(__SANITIZE_ADDRESS__)
#define TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TEST_SANITIZED 1
#endif
#endif

// a connection; the destructor closes what the test has not given away
struct connection {
    check_socket ours, peer;
    connection() { check_pair(&ours, &peer); }
    ~connection() {
        if (ours != CHECK_NO_SOCKET) check_close(ours);
        if (peer != CHECK_NO_SOCKET) check_close(peer);
    }
    check_socket give() { const check_socket it = ours; ours = CHECK_NO_SOCKET; return it; }
    // the other end has finished: a close of ours is graceful at once
    connection &peer_ends() { check_half_close(peer); return *this; }
    // what the other end gets to see: 0 for a FIN
    int peer_sees() {
        size_t bytes = 0;
        return check_read_to_end(peer, &bytes, 0);
    }
    // the other end got a reset; where it is shown as an end, the next send tells of it
    bool peer_was_reset() {
        const int seen = peer_sees();
        return check_hides_resets() ? seen == 0 && check_send(peer, "x", 1) < 0 : seen == CHECK_ECONNRESET;
    }
    // nobody has shut anything down: bytes go both ways
    bool works() {
        char got = 0;
        return check_send(ours, "a", 1) == 1 && check_receive(peer, &got, 1) == 1 && got == 'a' &&
               check_send(peer, "b", 1) == 1 && check_receive(ours, &got, 1) == 1 && got == 'b';
    }

private:
    connection(const connection &);
    connection &operator=(const connection &);
};

// a bound for what should happen soon
static inline unsigned int patience() { return check_is_slow() ? 60000U : 20000U; }

#endif
