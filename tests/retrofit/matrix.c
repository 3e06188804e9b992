/*
 * One close of each kind of socket that the rule asks for (retrofit/common/src/qualify.rs), as the
 * peer sees it. The program knows nothing of the library. Argument: a case. Prints "finished" (the
 * peer had all of the answer and a proper end), "left" (a reset, as the bare close makes of it),
 * or "kept" (the connection goes on). Exit status 77: this system has no such socket.
 */
#ifdef _WIN32
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#define SHUT_RD SD_RECEIVE
#define sleep_ms Sleep
typedef SOCKET sock;
#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#define closesocket close
#define INVALID_SOCKET (-1)
typedef int sock;
static void sleep_ms(int ms)
{
    usleep((useconds_t)ms * 1000);
}
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER 100000
#define MUST(what) ((what) ? (void)0 : failed(#what, __LINE__))

static void failed(const char *what, int line)
{
    fprintf(stderr, "matrix.c:%d: not so: %s\n", line, what);
    exit(2);
}

static char bytes[ANSWER];

/* two ends of a connection: what this process has accepted, and what it has connected */
static void make_pair(int protocol, sock *accepted, sock *connected)
{
    struct sockaddr_in address;
    int size = (int)sizeof address;
    sock listening = socket(AF_INET, SOCK_STREAM, protocol);

    if (listening == INVALID_SOCKET) exit(77);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(bind(listening, (struct sockaddr *)&address, sizeof address) == 0);
    MUST(listen(listening, 1) == 0);
    MUST(getsockname(listening, (struct sockaddr *)&address, (void *)&size) == 0);
    *connected = socket(AF_INET, SOCK_STREAM, protocol);
    MUST(*connected != INVALID_SOCKET);
    MUST(connect(*connected, (struct sockaddr *)&address, sizeof address) == 0);
    *accepted = accept(listening, NULL, NULL);
    MUST(*accepted != INVALID_SOCKET);
    closesocket(listening);
}

/* something is unread, so that a bare close resets; the answer is sent if there is to be one */
static void prepare(sock own, sock peer, int answers)
{
    MUST(send(peer, bytes, 3000, 0) == 3000);
    sleep_ms(30);
    if (answers) MUST(send(own, bytes, ANSWER, 0) == ANSWER);
}

/* the peer goes on sending for a moment, and reads late */
static const char *outcome(sock peer, int answer)
{
    static char into[65536];
    int got, whole = 0, refused;

    /* the reset is told once, to whichever call is first */
    refused = send(peer, "late", 4, 0) < 0;
    sleep_ms(20);
    refused |= send(peer, "later", 5, 0) < 0;
    while ((got = (int)recv(peer, into, sizeof into, 0)) > 0) whole += got;
    closesocket(peer);
    return !refused && got == 0 && whole == answer ? "finished" : "left";
}

static void set_linger(sock s)
{
    struct linger linger;

    linger.l_onoff = 1;
    linger.l_linger = 0;
    MUST(setsockopt(s, SOL_SOCKET, SO_LINGER, (void *)&linger, sizeof linger) == 0);
}

/* Linux, and who may administer the network */
static void repair(sock s)
{
#ifdef TCP_REPAIR
    int on = 1;

    if (setsockopt(s, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0) return;
#endif
    (void)s;
    exit(77);
}

/* the peer hears nothing of the close */
static const char *unheard(sock own, sock peer)
{
#ifndef _WIN32
    struct timeval moment = {0, 200000};
    int got;

    MUST(setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof moment) == 0);
    closesocket(own);
    while ((got = (int)recv(peer, bytes, ANSWER, 0)) > 0) continue;
    return got < 0 ? "left" : "finished";
#else
    (void)own, (void)peer;
    return "";
#endif
}

/* after the close of one descriptor another one still sends, and the peer sees no end */
static const char *shared(sock own, sock peer)
{
    char byte;
    int got;
#ifdef _WIN32
    WSAPROTOCOL_INFOW info;
    sock other;

    MUST(WSADuplicateSocketW(own, GetCurrentProcessId(), &info) == 0);
    other = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0, 0);
#else
    sock other = dup(own);
#endif
    MUST(other != INVALID_SOCKET);
    closesocket(own);
    sleep_ms(100);
    if (send(other, "x", 1, 0) != 1) return "finished";
    while ((got = (int)recv(peer, &byte, 1, 0)) == 1 && byte != 'x') continue;
    return got == 1 ? "kept" : "left";
}

#ifndef _WIN32
#define MUCH (8 << 20)

static void *sends(void *own)
{
    static char much[MUCH];

    return (void *)(long)(send(*(sock *)own, much, MUCH, 0) == MUCH);
}

/* closed while another thread waits in send() for room: the call goes on to its end */
static const char *being_sent(sock own, sock peer)
{
    static char into[65536];
    pthread_t thread;
    void *sent;
    struct pollfd room = { own, POLLOUT, 0 };
    long whole = 0;
    int got, full;

    /* unread, it would make a reset of the end of that call */
    MUST(recv(own, into, sizeof into, 0) == 3000);
    MUST(pthread_create(&thread, NULL, sends, &own) == 0);
    /* until it waits for room: a busy machine may take long */
    for (full = 0; full < 3; sleep_ms(100)) full = poll(&room, 1, 0) == 0 ? full + 1 : 0;
    closesocket(own);
    sleep_ms(100);
    while (whole < MUCH && (got = (int)recv(peer, into, sizeof into, 0)) > 0) whole += got;
    MUST(pthread_join(thread, &sent) == 0);
    return whole >= MUCH && sent != NULL ? "kept" : "finished";
}
#endif

int main(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";
    int has_answer = strcmp(which, "nothing-sent") != 0, protocol = IPPROTO_TCP;
    sock accepted, connected, own, peer;
#ifdef _WIN32
    WSADATA data;
    MUST(WSAStartup(MAKEWORD(2, 2), &data) == 0);
#else
    if (strcmp(which, "foreign-child") == 0) {
        signal(SIGPIPE, SIG_IGN);
        MUST(close(atoi(argv[2])) == 0);
        puts(outcome(atoi(argv[3]), ANSWER));
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(which, "foreign") == 0 && getenv("GRACEFUL_CLOSE_OFF") == NULL) {
        /* the starter of what closes knows nothing of the library either */
        setenv("GRACEFUL_CLOSE_OFF", "1", 1);
        execl("/proc/self/exe", argv[0], which, (char *)NULL);
        failed("execl", __LINE__);
    }
    if (strcmp(which, "multipath") == 0) protocol = 262; /* IPPROTO_MPTCP */
#endif
    make_pair(protocol, &accepted, &connected);
    own = strcmp(which, "client") == 0 ? connected : accepted;
    peer = own == accepted ? connected : accepted;
    prepare(own, peer, has_answer);
    if (strcmp(which, "reset-wanted") == 0) set_linger(own);
    if (strcmp(which, "repair") == 0) {
        repair(own);
        puts(unheard(own, peer));
        return 0;
    }
    if (strcmp(which, "shut-for-reading") == 0) MUST(shutdown(own, SHUT_RD) == 0);
    if (strcmp(which, "shared") == 0) {
        puts(shared(own, peer));
        return 0;
    }
#ifndef _WIN32
    if (strcmp(which, "foreign") == 0) {
        char numbers[2][12];
        sprintf(numbers[0], "%d", own);
        sprintf(numbers[1], "%d", peer);
        unsetenv("GRACEFUL_CLOSE_OFF");
        execl("/proc/self/exe", argv[0], "foreign-child", numbers[0], numbers[1], (char *)NULL);
        failed("execl", __LINE__);
    }
    if (strcmp(which, "being-sent") == 0) {
        puts(being_sent(own, peer));
        return 0;
    }
#else
    if (strcmp(which, "foreign") == 0) return 77;
#endif
    closesocket(own);
    puts(outcome(peer, has_answer ? ANSWER : 0));
    return 0;
}
