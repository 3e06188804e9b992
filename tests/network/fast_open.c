/*
 * A server answers what came with the first segment (TCP Fast Open, RFC 7413) and hands the connection over
 * before the handshake has ended, which takes a fifth of a second on this wire. It is closed as any other: the
 * answer arrives, the end is counted, and no descriptor is left.
 */
#define _GNU_SOURCE
#include "../../benches/tunlink.h"

#include <dirent.h>
#include <sys/prctl.h>

#define DELAY_NS 100000000LL /* each way */
#define ANSWER 1000
#define PORT 7900

static struct tunlink link_;

static void must(int is_so, const char *what)
{
    if (!is_so) die(what);
}

/* both ends send and take data without a cookie, in this namespace */
static void allow_fast_open(int end)
{
    int file;
    must(setns(link_.namespaces[end], CLONE_NEWNET) == 0, "setns");
    file = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY);
    must(file >= 0 && write(file, "1543", 4) == 4, "tcp_fastopen");
    close(file);
}

static struct sockaddr_in server(void)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(TUNLINK_SERVER);
    address.sin_port = htons(PORT);
    return address;
}

/* asks with the first segment; how much came before a proper end */
static void *asks(void *unused)
{
    struct sockaddr_in address = server();
    char bytes[4096];
    ssize_t got;
    long whole = 0;
    int sock;
    (void)unused;
    must(setns(link_.namespaces[1], CLONE_NEWNET) == 0, "setns");
    sock = socket(AF_INET, SOCK_STREAM, 0);
    must(sendto(sock, "request", 7, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof address) == 7, "sendto");
    while ((got = recv(sock, bytes, sizeof bytes, 0)) > 0) whole += got;
    close(sock);
    return (void *)(got == 0 ? whole : -1L);
}

static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    must(folder != NULL, "opendir");
    while (readdir(folder) != NULL) count++;
    closedir(folder);
    return count;
}

static size_t graceful(void)
{
    gc_stats stats = GC_STATS_INIT;
    gc_get_stats(&stats);
    return stats.by_outcome[GC_GRACEFUL];
}

/* its handshake has not ended, and the answer has been sent */
static int answered(int listener, pthread_t *client)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    char bytes[ANSWER] = { 0 };
    int sock;
    must(pthread_create(client, NULL, asks, NULL) == 0, "pthread_create");
    sock = accept(listener, NULL, NULL);
    must(sock >= 0 && recv(sock, bytes, sizeof bytes, 0) == 7, "the request");
    must(getsockopt(sock, IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
    if (info.tcpi_state != TCP_SYN_RECV) {
        puts("TCP Fast Open is not to be had");
        exit(77);
    }
    must(send(sock, bytes, ANSWER, 0) == ANSWER, "send");
    return sock;
}

/* the time is up while nothing that is sent is counted yet */
static void gives_up(int listener)
{
    gc_options options = GC_OPTIONS_INIT;
    gc_report report = GC_REPORT_INIT;
    pthread_t client;
    int sock = answered(listener, &client);
    options.timeout_ms = 20;
    must(gc_close_with(sock, &options, &report) == GC_TIMED_OUT, "gc_close_with");
    pthread_join(client, NULL);
    printf("given up in the handshake: %ld unacknowledged\n", (long)report.unacked_bytes);
    if (report.unacked_bytes != GC_UNKNOWN) exit(1);
}

static void answers(int listener, unsigned int flags)
{
    gc_options options = GC_OPTIONS_INIT;
    pthread_t client;
    void *got;
    size_t before = graceful();
    int sock = answered(listener, &client);
    options.flags = flags;
    options.timeout_ms = 20000;
    must(gc_close_async_with(sock, &options, NULL, NULL) == 0, "gc_close_async_with");
    must(gc_flush(30000) == 0, "gc_flush");
    pthread_join(client, &got);
    printf("flags %u: %ld bytes came, %lu graceful\n", flags, (long)got, (unsigned long)(graceful() - before));
    if ((long)got != ANSWER || graceful() != before + 1) exit(1);
}

int main(void)
{
    struct sockaddr_in address = server();
    const char *why = tunlink_open(&link_);
    int64_t dropped = 0;
    int listener, queue = 5, first, one = 1;
    pid_t carrier;
    if (why != NULL) {
        puts(why);
        return 77;
    }
    carrier = fork();
    if (carrier == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tunlink_carry(&link_, DELAY_NS, &dropped);
    }
    must(carrier > 0, "fork");
    allow_fast_open(1);
    allow_fast_open(0);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(listener, 5) == 0, "listen");
    must(setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue) == 0, "TCP_FASTOPEN");
    gives_up(listener);
    answers(listener, 0);
    first = descriptors();
    answers(listener, 0);
    answers(listener, GC_DEFERRED);
    kill(carrier, SIGKILL);
    waitpid(carrier, NULL, 0);
    if (descriptors() != first) {
        printf("%d descriptors, %d before\n", descriptors(), first);
        return 1;
    }
    return 0;
}
