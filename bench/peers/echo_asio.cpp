// An echo server by Boost.Asio, a C++20 coroutine for each connection, as in its examples; prints "listening PORT".
#include <utility> // Boost 1.74 forgets it

#include <boost/asio.hpp>
#include <iostream>

namespace asio = boost::asio;
using asio::ip::tcp;

static asio::awaitable<void> echo(tcp::socket socket)
{
    try {
        char buffer[16384];
        for (;;) {
            std::size_t n = co_await socket.async_read_some(asio::buffer(buffer), asio::use_awaitable);
            co_await asio::async_write(socket, asio::buffer(buffer, n), asio::use_awaitable);
        }
    } catch (const std::exception &) { // the connection has ended
    }
}

static asio::awaitable<void> serve(tcp::acceptor &acceptor)
{
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
        socket.set_option(tcp::no_delay(true));
        asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
    }
}

int main()
{
    asio::io_context context(1);
    tcp::acceptor acceptor(context, { asio::ip::address_v4::loopback(), 0 });
    acceptor.listen(4096);
    std::cout << "listening " << acceptor.local_endpoint().port() << std::endl;
    asio::co_spawn(context, serve(acceptor), asio::detached);
    context.run();
}
