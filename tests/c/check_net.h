/* Sockets for the C tests; included by check.h. */
#ifndef CHECK_NET_INCLUDED
#define CHECK_NET_INCLUDED

CHECK_HELPER void check_close(check_socket sock)
{
#ifdef _WIN32
    CHECK_IS(closesocket(sock), 0);
#else
    CHECK_IS(close(sock), 0);
#endif
}

CHECK_HELPER int check_is_socket(check_socket sock)
{
    int type = 0;
    check_length length = (check_length)sizeof(type);
    return getsockopt(sock, SOL_SOCKET, SO_TYPE, (char *)&type, &length) == 0;
}

CHECK_HELPER void check_set_linger(check_socket sock, int on, int seconds)
{
    struct linger linger;
    memset(&linger, 0, sizeof(linger));
#ifdef _WIN32
    linger.l_onoff = (u_short)on;
    linger.l_linger = (u_short)seconds;
#else
    linger.l_onoff = on;
    linger.l_linger = seconds;
#endif
    CHECK_IS(setsockopt(sock, SOL_SOCKET, SO_LINGER, (const char *)&linger, sizeof(linger)), 0);
}

CHECK_HELPER void check_set_blocking(check_socket sock, int blocking)
{
#ifdef _WIN32
    u_long mode = blocking ? 0 : 1;
    CHECK_IS(ioctlsocket(sock, (long)FIONBIO, &mode), 0);
#else
    int flags = fcntl(sock, F_GETFL);
    CHECK_IS(fcntl(sock, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), 0);
#endif
}

CHECK_HELPER void check_half_close(check_socket sock)
{
#ifdef _WIN32
    CHECK_IS(shutdown(sock, SD_SEND), 0);
#else
    CHECK_IS(shutdown(sock, SHUT_WR), 0);
#endif
}

/* the other end learns of it by a reset */
CHECK_HELPER void check_reset(check_socket sock)
{
    check_set_linger(sock, 1, 0);
    check_close(sock);
}

CHECK_HELPER int check_would_block(void)
{
#ifdef _WIN32
    return WSAGetLastError() == WSAEWOULDBLOCK;
#else
    return errno == EAGAIN || errno == EWOULDBLOCK;
#endif
}

/* data, the end of the stream or an error is there; ms is a bound for failures */
CHECK_HELPER int check_readable(check_socket sock, unsigned int ms)
{
#ifdef _WIN32
    fd_set set;
    struct timeval time;
    set.fd_count = 1;
    set.fd_array[0] = sock;
    time.tv_sec = (long)(ms / 1000);
    time.tv_usec = (long)(ms % 1000) * 1000;
    return select(0, &set, NULL, NULL, &time) == 1;
#else
    struct pollfd entry;
    entry.fd = sock;
    entry.events = POLLIN;
    entry.revents = 0;
    return poll(&entry, 1, (int)ms) == 1;
#endif
}

CHECK_HELPER void check_wait_readable(check_socket sock)
{
    CHECK(check_readable(sock, 60000));
}

CHECK_HELPER check_socket check_bound(int type, struct sockaddr_in *address)
{
    check_socket sock = socket(AF_INET, type, 0);
    check_length length = (check_length)sizeof(*address);
    CHECK(sock != CHECK_NO_SOCKET);
    memset(address, 0, sizeof(*address));
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_IS(bind(sock, (struct sockaddr *)address, length), 0);
    CHECK_IS(getsockname(sock, (struct sockaddr *)address, &length), 0);
    return sock;
}

CHECK_HELPER check_socket check_listener(struct sockaddr_in *address)
{
    check_socket sock = check_bound(SOCK_STREAM, address);
    CHECK_IS(listen(sock, 64), 0);
    return sock;
}

/* a connection: ours was accepted, the peer's did connect */
CHECK_HELPER void check_pair(check_socket *ours, check_socket *peer)
{
    struct sockaddr_in address;
    check_socket listener = check_listener(&address);
    *peer = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(*peer != CHECK_NO_SOCKET);
    CHECK_IS(connect(*peer, (struct sockaddr *)&address, (check_length)sizeof(address)), 0);
    *ours = accept(listener, NULL, NULL);
    CHECK(*ours != CHECK_NO_SOCKET);
    check_close(listener);
}

/* --- data whose every byte tells where it belongs --- */

CHECK_HELPER void check_fill(unsigned char *data, size_t size, size_t offset)
{
    size_t i;
    for (i = 0; i < size; i++)
        data[i] = (unsigned char)(((offset + i) * 7 + ((offset + i) >> 9)) & 0xFF);
}

CHECK_HELPER int check_is_filled(const unsigned char *data, size_t size, size_t offset)
{
    size_t i;
    for (i = 0; i < size; i++)
        if (data[i] != (((offset + i) * 7 + ((offset + i) >> 9)) & 0xFF)) return 0;
    return 1;
}

/* sends as much as goes at once; -1 on an error */
CHECK_HELPER long check_send(check_socket sock, const void *data, size_t size)
{
#ifdef _WIN32
    return send(sock, (const char *)data, (int)size, CHECK_SEND_FLAGS);
#else
    return (long)send(sock, data, size, CHECK_SEND_FLAGS);
#endif
}

CHECK_HELPER long check_receive(check_socket sock, void *data, size_t size)
{
#ifdef _WIN32
    return recv(sock, (char *)data, (int)size, 0);
#else
    return (long)recv(sock, data, size, 0);
#endif
}

/* sends `size` bytes of the pattern from `offset` on, on a blocking socket or not */
CHECK_HELPER void check_send_pattern(check_socket sock, size_t size, size_t offset)
{
    unsigned char portion[16384];
    size_t sent = 0;
    while (sent < size) {
        size_t most = size - sent < sizeof(portion) ? size - sent : sizeof(portion);
        long now;
        check_fill(portion, most, offset + sent);
        now = check_send(sock, portion, most);
        if (now < 0 && check_would_block()) {
            check_sleep(1);
            continue;
        }
        CHECK(now > 0);
        sent += (size_t)now;
    }
}

/* Receives to the end of the stream and checks it against the pattern; 0, or the
   error that ended it. `pause_ms` is slept before each portion. */
CHECK_HELPER int check_read_to_end(check_socket sock, size_t *bytes, unsigned int pause_ms)
{
    unsigned char portion[65536 / 2];
    *bytes = 0;
    for (;;) {
        long now;
        if (pause_ms > 0) check_sleep(pause_ms);
        now = check_receive(sock, portion, sizeof(portion));
        if (now == 0) return 0;
        if (now < 0) return check_last_error();
        CHECK(check_is_filled(portion, (size_t)now, *bytes));
        *bytes += (size_t)now;
    }
}

#endif /* CHECK_NET_INCLUDED */
