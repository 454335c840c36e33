// The cases of bench/tasks.c by Boost.Fiber.
#include "../micro.h"

#include <boost/fiber/all.hpp>

using boost::fibers::fiber;
using channel = boost::fibers::buffered_channel<long>;

static void yield(long count)
{
    auto many = [count] {
        for (long i = 0; i < count / 2; i++)
            boost::this_fiber::yield();
    };
    fiber one(many), other(many);
    one.join();
    other.join();
}

static void start(long count)
{
    for (long i = 0; i < count; i++)
        fiber([] {}).join();
}

// An event: a flag, a mutex and a condition, as the manual has it.
struct event {
    boost::fibers::mutex mutex;
    boost::fibers::condition_variable changed;
    bool flag = false;

    void set()
    {
        {
            std::unique_lock<boost::fibers::mutex> held(mutex);
            flag = true;
        }
        changed.notify_one();
    }
    void wait_and_clear()
    {
        std::unique_lock<boost::fibers::mutex> held(mutex);
        changed.wait(held, [this] { return flag; });
        flag = false;
    }
};

static void by_event(long count)
{
    event ping, pong;
    auto side = [count](event &mine, event &other) {
        for (long i = 0; i < count / 2; i++) {
            mine.wait_and_clear();
            other.set();
        }
    };
    ping.set();
    fiber one([&] { side(ping, pong); }), other([&] { side(pong, ping); });
    one.join();
    other.join();
}

static void by_queue(long count)
{
    channel there(2), back(2);
    auto side = [count](channel &mine, channel &other) {
        for (long i = 0, item; i < count / 2; i++) {
            mine.pop(item);
            other.push(item);
        }
    };
    there.push(0);
    fiber one([&] { side(there, back); }), other([&] { side(back, there); });
    one.join();
    other.join();
}

int main(int argc, char **argv)
{
    static const micro_case cases[] = {
        { "yield", yield }, { "start", start }, { "event", by_event }, { "queue", by_queue }, { nullptr, nullptr }
    };
    return micro_main(cases, argc, argv);
}
