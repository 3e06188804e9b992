// consumer.cpp - the same with the header for C++; also as C++98
#include "consumer.h"

#include <cstdio>
#include <cstring>

#include <graceful_close.hpp>

int main()
{
    SOCKET client, server;
    char text[64];

    if (!consumer_connect(&client, &server)) {
        std::fprintf(stderr, "no connection over loopback\n");
        return 1;
    }
    if (send(client, "unread", 6, 0) != 6 || shutdown(client, SD_SEND) != 0 || send(server, "answer", 6, 0) != 6)
        return 1;
    const graceful::result ended = graceful::close(static_cast<gc_socket>(server), 5000U);
    std::printf("C++: %s, library %s\n", ended.name(), gc_version_string());
    if (!ended)
        return 1;
    if (recv(client, text, sizeof(text), 0) != 6 || std::memcmp(text, "answer", 6) != 0)
        return 1;
    return graceful::close(static_cast<gc_socket>(client), 1000U).is_error();
}
