// `parked_fiber COUNT`: so many fibres of Boost that sleep, on stacks of the default size; whoever measures reads the
// memory.
#include <boost/fiber/all.hpp>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

int main(int argc, char **argv)
{
    long count = argc > 1 ? std::atol(argv[1]) : 0;
    std::string line;
    std::cout << "ready" << std::endl;
    std::getline(std::cin, line);
    for (long i = 0; i < count; i++)
        boost::fibers::fiber([] { boost::this_fiber::sleep_for(std::chrono::hours(1)); }).detach();
    boost::this_fiber::yield();
    std::cout << "parked" << std::endl;
    std::getline(std::cin, line);
    std::_Exit(0);
}
