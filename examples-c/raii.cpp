/*
 * raii.cpp - a small server in which no path forgets to finish its connections
 *
 * Each connection belongs to a graceful::socket. Whichever way its handler is left, by return or by
 * exception, the owner's destructor sees to the end: the answer arrives whole even if the client
 * is still sending, and the server never waits for it, since the policy is to hand over to the
 * background. Before main returns, what is still on its way is flushed.
 *
 *   raii port [connections]      answers each line-sized request with 1 MB; 0 connections: no end
 */
#include "example_net.h"
#include "graceful_close.hpp"

#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

static const std::size_t ANSWER_SIZE = 1000000;

/* The socket goes when the handler does; nobody has to close it. */
static void serve(graceful::socket connection)
{
    char request[256];
    const long size = net_recv(connection.get(), request, sizeof(request));

    if (size <= 0)
        throw std::runtime_error("no request came");
    if (std::memchr(request, '\n', static_cast<std::size_t>(size)) == NULL) {
        connection.set_policy(graceful::policy::abort); /* not our protocol: off with it */
        throw std::runtime_error("this is no line");
    }
    const std::string answer = std::string(ANSWER_SIZE, '.') + "the end\n";
    if (net_send_all(connection.get(), answer.data(), answer.size()) != 0)
        throw std::runtime_error("the client went away");
}

static graceful::socket listen_on(unsigned short port)
{
    graceful::socket listener(socket(AF_INET, SOCK_STREAM, 0), graceful::policy::abort);
    struct sockaddr_in address;

    std::memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!listener
        || bind(listener.get(), reinterpret_cast<struct sockaddr *>(&address), sizeof(address)) != 0
        || listen(listener.get(), 64) != 0) {
        net_complain("the port cannot be listened on");
        listener.reset();
    }
    return listener;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        std::fprintf(stderr, "usage: raii port [connections]\n");
        return EXIT_FAILURE;
    }
    if (net_start() != 0)
        return EXIT_FAILURE;
    const graceful::socket listener = listen_on(static_cast<unsigned short>(std::atoi(argv[1])));
    if (!listener)
        return EXIT_FAILURE;
    graceful::set_log([](graceful::outcome, const char *line) { std::fprintf(stderr, "%s\n", line); });

    const long most = argc > 2 ? std::atol(argv[2]) : 0;
    for (long served = 0; most == 0 || served < most; served++) {
        graceful::socket connection(accept(listener.get(), NULL, NULL),
                                    graceful::policy::background, std::chrono::seconds(30));
        if (!connection) {
            net_complain("accept");
            return EXIT_FAILURE;
        }
        try {
            serve(std::move(connection));
        } catch (const std::exception &error) {
            std::fprintf(stderr, "%s\n", error.what());
        }
    }
    const std::error_code late = graceful::flush(std::chrono::seconds(30));
    if (late)
        std::fprintf(stderr, "some clients did not take all: %s\n", late.message().c_str());
    std::printf("%lu closed, %lu of them gracefully\n",
                static_cast<unsigned long>(graceful::stats().closed),
                static_cast<unsigned long>(graceful::stats().by_outcome[GC_GRACEFUL]));
    return late ? EXIT_FAILURE : EXIT_SUCCESS;
}
