// One program of three parts: C++98, C++11 without exceptions, and this one, linked together. Each
// must get its own functions: an exception that passes through those of another part would be fatal.
// Compiled with PART_98, PART_BARE, and as it is.
#include "test.hpp"

#if defined(PART_98)

int closes_98(check_socket sock);
int closes_98(check_socket sock) { return graceful::close(sock, 20000U).error(); }

#elif defined(PART_BARE)

int closes_bare(check_socket sock, int *bytes);
int closes_bare(check_socket sock, int *bytes) {
    graceful::options how = std::chrono::seconds(20);
    how.on_data = [bytes](const void *, std::size_t size) { *bytes += static_cast<int>(size); return true; };
    return static_cast<int>(graceful::close(sock, how).outcome());
}

#else

int closes_98(check_socket sock);
int closes_bare(check_socket sock, int *bytes);

int main() {
    check_start();
    int bytes = 0;
    connection one, two;
    CHECK_IS(closes_98(one.peer_ends().give()), 0);
    check_send_pattern(two.peer, 1000, 0);
    CHECK_IS(closes_bare(two.peer_ends().give(), &bytes), GC_GRACEFUL);
    CHECK_IS(bytes, 1000);
#ifdef TEST_EXCEPTIONS
    connection three;
    check_send_pattern(three.peer, 1000, 0);
    graceful::options how = std::chrono::seconds(20);
    how.on_data = [](const void *, std::size_t) -> bool { throw 3; };
    int caught = 0;
    try {
        graceful::close(three.give(), how);
    } catch (int what) {
        caught = what;
    }
    CHECK_IS(caught, 3);
#endif
    return 0;
}

#endif
