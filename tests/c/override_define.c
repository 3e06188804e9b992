/*
 * -D closesocket=gc_closesocket and its like: the drop-in takes closesocket's place
 * in a call, in a pointer, in a table and under the name of a struct's member. On
 * POSIX it stands wherever a program keeps a pointer to its close function.
 */
#include "check.h"

#include "graceful_close.h"

#ifdef _WIN32
typedef int(WSAAPI *closer)(SOCKET sock); /* without a cast: the types are equal */
#else
typedef int (*closer)(int fd);
#endif

/* check_close above is still the system's */
#define closesocket gc_closesocket

struct transport {
    const char *name;
    closer closesocket;
};

static const struct transport table[] = { { "tcp", closesocket }, { "again", &closesocket } };

/* a connection with the peer's bytes unread, the trap for a bare close */
static check_socket trap(check_socket *peer)
{
    check_socket sock;
    check_pair(&sock, peer);
    check_send_pattern(*peer, 3000, 0);
    check_wait_readable(sock);
    check_send_pattern(sock, 100000, 0);
    check_half_close(*peer);
    return sock;
}

static void check_answer(check_socket sock, check_socket peer)
{
    size_t bytes;
    CHECK(!check_is_socket(sock));
    CHECK_IS(check_read_to_end(peer, &bytes, 0), 0);
    CHECK_IS(bytes, 100000);
    check_close(peer);
}

int main(void)
{
    closer pointer = closesocket;
    struct transport transport;
    check_socket sock, peer;
    size_t i;
    check_start();
    gc_set_default_timeout(20000);

    check_doing = "a call";
    sock = trap(&peer);
    CHECK_IS(closesocket(sock), 0);
    check_answer(sock, peer);
    CHECK_IS(closesocket(sock), -1);

    check_doing = "a pointer";
    sock = trap(&peer);
    CHECK_IS(pointer(sock), 0);
    check_answer(sock, peer);
    CHECK_IS((*pointer)(CHECK_NO_SOCKET), -1);

    check_doing = "a table";
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        check_round = (long)i;
        sock = trap(&peer);
        CHECK_IS(table[i].closesocket(sock), 0);
        check_answer(sock, peer);
    }

    check_doing = "a member";
    transport.name = "member";
    transport.closesocket = closesocket;
    sock = trap(&peer);
    CHECK_IS(transport.closesocket(sock), 0);
    check_answer(sock, peer);
    CHECK(strcmp(table[0].name, "tcp") == 0 && strcmp(transport.name, "member") == 0);
    return 0;
}
