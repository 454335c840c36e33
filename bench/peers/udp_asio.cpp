// A UDP echo by Boost.Asio, one C++20 coroutine; prints "listening PORT".
#include <utility> // Boost 1.74 forgets it

#include <boost/asio.hpp>
#include <iostream>

namespace asio = boost::asio;
using asio::ip::udp;

static asio::awaitable<void> echo(udp::socket &socket)
{
    static char buffer[65536];
    for (;;) {
        udp::endpoint from;
        std::size_t n = co_await socket.async_receive_from(asio::buffer(buffer), from, asio::use_awaitable);
        co_await socket.async_send_to(asio::buffer(buffer, n), from, asio::use_awaitable);
    }
}

int main()
{
    asio::io_context context(1);
    udp::socket socket(context, { asio::ip::address_v4::loopback(), 0 });
    socket.set_option(asio::socket_base::receive_buffer_size(4 << 20));
    std::cout << "listening " << socket.local_endpoint().port() << std::endl;
    asio::co_spawn(context, echo(socket), asio::detached);
    context.run();
}
