/*
 * peers_asio.cpp - closing in the background as one writes it with Boost.Asio: an io_context in a thread, and for
 * each connection a socket and a steady_timer kept alive by a shared_ptr.
 */
#include <boost/asio.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "background.h"

namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using asio::ip::tcp;

asio::io_context context(1);
asio::executor_work_guard<asio::io_context::executor_type> *work;
char scratch[65536];

class Closing : public std::enable_shared_from_this<Closing> {
public:
    Closing(int fd, long id) : socket_(context), timer_(context), id_(id) { socket_.assign(tcp::v4(), fd); }

    ~Closing() { background_done(id_); }

    void begin(std::chrono::steady_clock::time_point deadline)
    {
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
        timer_.expires_at(deadline);
        timer_.async_wait([self = shared_from_this()](error_code error) {
            if (!error)
                self->finish();
        });
        read();
    }

private:
    void read()
    {
        socket_.async_read_some(asio::buffer(scratch), [self = shared_from_this()](error_code error, std::size_t) {
            if (error)
                self->finish();
            else
                self->read();
        });
    }

    void finish()
    {
        error_code ignored;
        timer_.cancel(ignored);
        socket_.close(ignored);
    }

    tcp::socket socket_;
    asio::steady_timer timer_;
    long id_;
};

void start()
{
    work = new asio::executor_work_guard<asio::io_context::executor_type>(asio::make_work_guard(context));
    std::thread([] { context.run(); }).detach();
}

void hand_over(int fd, unsigned timeout_ms, long id)
{
    auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    asio::post(context, [=] { std::make_shared<Closing>(fd, id)->begin(deadline); });
}

} // namespace

extern "C" const struct background by_asio = {"Boost.Asio", start, hand_over};
