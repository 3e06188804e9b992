/*
 * loop_asio.cpp - closing many connections at once with Asio (C++11)
 *
 * Asio reads the request and writes the answer. Then a gc_closing takes over: async_wait()
 * and a steady_timer tell when to step. The step that ends a close is the one that closes
 * the handle, and the next open() may be given the same number: so Asio releases the
 * handle before each step and gets it back after it, if the close is not over.
 *
 *   loop_asio [connections [port]]
 *   c++ -std=c++11 -I INCLUDE loop_asio.cpp LIB/libgraceful_close.a -lpthread -ldl
 *
 * With Asio on its own instead of Boost's, define ASIO_STANDALONE.
 */
#ifdef ASIO_STANDALONE
#include <asio.hpp>
using asio::error_code;
#else
#include <boost/asio.hpp>
namespace asio = boost::asio;
using boost::system::error_code;
#endif

#include "graceful_close.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

using asio::ip::tcp;

namespace {

const unsigned int close_timeout_ms = 20000;

/* Numbered lines of 16 bytes, so that a client notices any piece that is missing. */
std::string make_answer()
{
    std::string answer;
    char line[32];

    for (unsigned long i = 0; i < 6400; i++) {
        std::snprintf(line, sizeof(line), "%015lu\n", i);
        answer += line;
    }
    return answer;
}

const std::string answer = make_answer();

/* Closes a socket, lives as long as that takes, and then tells the outcome. */
class closer : public std::enable_shared_from_this<closer> {
public:
    typedef std::function<void(int)> told;

    closer(asio::io_context &context, tcp::socket socket, told tell)
        : socket_(std::move(socket)), timer_(context), tell_(std::move(tell)), closing_(nullptr)
    {
    }

    closer(const closer &) = delete;
    closer &operator=(const closer &) = delete;

    /* If the loop ends before the close does, its fallback ends it. */
    ~closer()
    {
        error_code ignored;

        if (closing_ != nullptr)
            socket_.release(ignored);
        gc_closing_free(closing_);
    }

    void start()
    {
        gc_options options = GC_OPTIONS_INIT;
        int error;

        options.timeout_ms = close_timeout_ms;
        error = gc_closing_new(static_cast<gc_socket>(socket_.native_handle()), &options, &closing_);
        if (error != 0)
            tell_(error); /* the socket is still Asio's, and closed normally */
        else
            step();
    }

private:
    /* To release a socket ends what waits for it, with an error. */
    void step()
    {
        const tcp::socket::native_handle_type handle = socket_.release();
        const int outcome = gc_closing_step(closing_);

        timer_.cancel();
        if (outcome == GC_PENDING || outcome < 0) /* still open */
            socket_.assign(tcp::v4(), handle);
        if (outcome == GC_PENDING) {
            wait();
            return;
        }
        gc_closing_free(closing_);
        closing_ = nullptr;
        tell_(outcome);
    }

    /* Whichever comes first steps, and that step ends the other wait. */
    void wait()
    {
        const unsigned int ms = gc_closing_timeout_ms(closing_);
        const unsigned long round = ++round_;
        auto self = shared_from_this();
        auto go_on = [self, round](const error_code &error) {
            if (error != asio::error::operation_aborted && round == self->round_
                && self->closing_ != nullptr)
                self->step();
        };

        if (gc_closing_wants_read(closing_))
            socket_.async_wait(tcp::socket::wait_read, go_on);
        if (ms == GC_INFINITE)
            return;
        timer_.expires_after(std::chrono::milliseconds(ms));
        timer_.async_wait(go_on);
    }

    tcp::socket socket_;
    asio::steady_timer timer_;
    told tell_;
    gc_closing *closing_;
    unsigned long round_ = 0; /* both may have come true at once: the first counts */
};

/* Reads the header of a request, answers without reading the rest, and closes. */
class session : public std::enable_shared_from_this<session> {
public:
    session(asio::io_context &context, tcp::socket socket, closer::told tell)
        : context_(context), socket_(std::move(socket)), tell_(std::move(tell))
    {
    }

    void start()
    {
        auto self = shared_from_this();

        asio::async_read_until(socket_, request_, "\r\n\r\n",
                               [self](const error_code &error, std::size_t) {
                                   if (error)
                                       self->finish(error);
                                   else
                                       self->reply();
                               });
    }

private:
    void reply()
    {
        auto self = shared_from_this();

        asio::async_write(socket_, asio::buffer(answer),
                          [self](const error_code &error, std::size_t) { self->finish(error); });
    }

    void finish(const error_code &error)
    {
        if (error)
            std::fprintf(stderr, "a client is lost: %s\n", error.message().c_str());
        std::make_shared<closer>(context_, std::move(socket_), tell_)->start();
    }

    asio::io_context &context_;
    tcp::socket socket_;
    closer::told tell_;
    asio::streambuf request_;
};

class server {
public:
    server(asio::io_context &context, unsigned short port, unsigned long wanted)
        : context_(context),
          acceptor_(context, tcp::endpoint(asio::ip::address_v4::loopback(), port)),
          wanted_(wanted)
    {
        std::printf("listening on port %u\n",
                    static_cast<unsigned int>(acceptor_.local_endpoint().port()));
        std::fflush(stdout);
        accept();
    }

    /* What the program returns. */
    int end() const
    {
        std::printf("closed gracefully: %lu, otherwise: %lu\n", graceful_, other_);
        return other_ == 0 && graceful_ == wanted_ ? EXIT_SUCCESS : EXIT_FAILURE;
    }

private:
    void accept()
    {
        acceptor_.async_accept([this](const error_code &error, tcp::socket socket) {
            if (error) {
                std::fprintf(stderr, "accept: %s\n", error.message().c_str());
                return;
            }
            accepted_++;
            std::make_shared<session>(context_, std::move(socket), [this](int outcome) {
                note(outcome);
            })->start();
            if (wanted_ == 0 || accepted_ < wanted_)
                accept();
        });
    }

    void note(int outcome)
    {
        if (outcome == GC_GRACEFUL) {
            graceful_++;
        } else {
            other_++;
            std::fprintf(stderr, "not closed gracefully: %s\n", gc_outcome_name(outcome));
        }
    }

    asio::io_context &context_;
    tcp::acceptor acceptor_;
    unsigned long wanted_;
    unsigned long accepted_ = 0;
    unsigned long graceful_ = 0;
    unsigned long other_ = 0;
};

}

int main(int argc, char **argv)
{
    const unsigned long wanted = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 0;
    const unsigned long port = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 0;

    if (argc > 3 || port > 65535UL) {
        std::fprintf(stderr, "usage: loop_asio [connections [port]]\n");
        return EXIT_FAILURE;
    }
    try {
        asio::io_context context;
        server serves(context, static_cast<unsigned short>(port), wanted);

        context.run(); /* until nothing is waited for any more */
        return serves.end();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return EXIT_FAILURE;
    }
}
