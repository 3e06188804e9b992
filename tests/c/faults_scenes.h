/* What linux_faults.c closes, and what its peer gets of it. */
#ifndef FAULTS_SCENES_INCLUDED
#define FAULTS_SCENES_INCLUDED

#include <sys/un.h>

enum {
    HAS_FINISHED, HAS_ANSWERED, IS_SILENT, HAS_RESET, RESET_TAKEN, READING_SHUT, BOTH_SHUT, HAS_UNREAD,
    WINDOW_SHUT, LINGERS, RESETS, IS_SHARED, LISTENS, DATAGRAM, UNCONNECTED, LOCAL, SCENES
};

/* what may be said of it, and what a bare close would do */
enum {
    GRACEFUL = 1,  /* may be called graceful */
    DELIVERS = 2,  /* a bare close delivers everything and a FIN */
    CARRIES = 4    /* data can be sent on it as long as it is not closed */
};

static const struct scene {
    const char *name;
    int is;
} scenes[SCENES] = {
    { "the peer has closed", GRACEFUL | DELIVERS | CARRIES },
    { "data and the peer's FIN", GRACEFUL | CARRIES },
    { "a silent peer", DELIVERS | CARRIES },
    { "the peer has reset", 0 },
    { "a reset that was taken away", 0 },
    { "the program's own SHUT_RD", DELIVERS | CARRIES },
    { "the program's own SHUT_RDWR", DELIVERS },
    { "unread data of a silent peer", CARRIES },
    { "a window that is shut", DELIVERS },
    { "SO_LINGER of 20 s", DELIVERS | CARRIES },
    { "SO_LINGER that resets", CARRIES },
    { "a connection that is shared", CARRIES },
    { "a listener", 0 },
    { "a datagram socket", 0 },
    { "never connected", 0 },
    { "AF_UNIX, the peer has closed", GRACEFUL | DELIVERS | CARRIES }
};

static const char words[] = "what we had to say";
#define WORDS ((long)sizeof(words))

static house home;

typedef struct {
    check_socket sock, peer, copy;
    long sent;
} tried;

/* what does not fit is left */
static void fill_the_window(tried *one)
{
    static char zeros[4096];
    long now;
    do {
        now = (long)send(one->sock, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (now > 0) one->sent += now;
    } while (now > 0);
}

static void open_pair(int scene, tried *one)
{
    int pair[2], size = 4096;
    struct sockaddr_in address;
    switch (scene) {
    case LISTENS: one->sock = check_listener(&address); return;
    case DATAGRAM: one->sock = check_bound(SOCK_DGRAM, &address); return;
    case UNCONNECTED: one->sock = socket(AF_INET, SOCK_STREAM, 0); return;
    case LOCAL:
        CHECK_IS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        one->sock = pair[0];
        one->peer = pair[1];
        return;
    }
    house_pair(&home, &one->sock, &one->peer);
    if (scene == WINDOW_SHUT) setsockopt(one->sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static void take_the_reset(check_socket sock)
{
    int error = 0;
    socklen_t size = (socklen_t)sizeof(error);
    CHECK_IS(getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &size), 0);
}

static void set_scene(int scene, tried *one)
{
    memset(one, 0, sizeof(*one));
    one->sock = one->peer = one->copy = CHECK_NO_SOCKET;
    open_pair(scene, one);
    if (one->peer == CHECK_NO_SOCKET) return;
    one->sent = check_send(one->sock, words, sizeof(words));
    CHECK_IS(one->sent, WORDS);
    switch (scene) {
    case HAS_ANSWERED:
        CHECK_IS(check_send(one->peer, "0123456789", 10), 10);
        /* fall through */
    case HAS_FINISHED:
    case LOCAL:
        check_half_close(one->peer);
        check_wait_readable(one->sock);
        break;
    case HAS_UNREAD:
        CHECK_IS(check_send(one->peer, "0123456789", 10), 10);
        check_wait_readable(one->sock);
        break;
    case HAS_RESET:
    case RESET_TAKEN:
        check_reset(one->peer);
        one->peer = CHECK_NO_SOCKET;
        check_wait_readable(one->sock);
        if (scene == RESET_TAKEN) take_the_reset(one->sock);
        break;
    case READING_SHUT: CHECK_IS(shutdown(one->sock, SHUT_RD), 0); break;
    case BOTH_SHUT: CHECK_IS(shutdown(one->sock, SHUT_RDWR), 0); break;
    case WINDOW_SHUT: fill_the_window(one); break;
    case LINGERS: check_set_linger(one->sock, 1, 20); break;
    case RESETS: check_set_linger(one->sock, 1, 0); break;
    case IS_SHARED: one->copy = dup(one->sock); break;
    }
}

/* Everything that came, and how it ended: 0 a FIN, else the error. A stream that has not ended is
   waited for: what is closed ends at once, on this machine. */
static int read_it(check_socket peer, long *bytes)
{
    char room[16384];
    *bytes = 0;
    for (;;) {
        long now;
        if (!check_readable(peer, 1000)) return ETIMEDOUT;
        now = check_receive(peer, room, sizeof(room));
        if (now == 0) return 0;
        if (now < 0) return errno;
        *bytes += now;
    }
}

#endif /* FAULTS_SCENES_INCLUDED */
