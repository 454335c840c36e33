// Accepts and closes at once, by a coroutine of Boost.Asio; prints "listening PORT".
#include <utility> // Boost 1.74 forgets it

#include <boost/asio.hpp>
#include <iostream>

namespace asio = boost::asio;
using asio::ip::tcp;

static asio::awaitable<void> serve(tcp::acceptor &acceptor)
{
    for (;;)
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
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
