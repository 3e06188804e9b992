// A socket of Boost.Asio: registered with its epoll descriptor, non-blocking, closed by close().
#include "owner.h"

#include <boost/asio.hpp>

int main() {
    pthread_t peer;
    const int sock = owner_accept(&peer);
    boost::asio::io_context context;
    boost::asio::ip::tcp::socket object(context, boost::asio::ip::tcp::v4(), sock);
    object.non_blocking(true);
    bool is_sent = false;
    boost::asio::async_write(object, boost::asio::buffer(owner_answer, OWNER_ANSWER),
                             [&](const boost::system::error_code &error, std::size_t bytes) {
                                 is_sent = !error && bytes == OWNER_ANSWER;
                             });
    context.run();
    OWNER_CHECK(is_sent);
    owner_finish(object.native_handle());
    boost::system::error_code error;
    object.close(error);
    OWNER_CHECK(!error);
    owner_check(peer, sock);
    return 0;
}
