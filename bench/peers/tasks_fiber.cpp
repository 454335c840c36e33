// The cases of bench/tasks.c by Boost.Fiber.
#include "../micro.h"

#include <boost/fiber/all.hpp>
#include <vector>

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
    void set_for_all()
    {
        {
            std::unique_lock<boost::fibers::mutex> held(mutex);
            flag = true;
        }
        changed.notify_all();
    }
    void clear()
    {
        std::unique_lock<boost::fibers::mutex> held(mutex);
        flag = false;
    }
    void wait()
    {
        std::unique_lock<boost::fibers::mutex> held(mutex);
        changed.wait(held, [this] { return flag; });
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

static void crowd(long count)
{
    enum { CROWD = 1000 };
    event events[2];
    long rounds = (count + CROWD - 1) / CROWD, ran = 0;
    std::vector<fiber> fibers;
    for (int i = 0; i < CROWD; i++)
        fibers.emplace_back([&] {
            for (long round = 0; round < rounds; round++) {
                events[round % 2].wait();
                ran++;
            }
        });
    boost::this_fiber::yield();
    micro_begin();
    for (long round = 0; round < rounds; round++) {
        events[(round + 1) % 2].clear();
        events[round % 2].set_for_all();
        while (ran < CROWD * (round + 1))
            boost::this_fiber::yield();
    }
    micro_end();
    for (fiber &one : fibers)
        one.join();
    micro_check(ran == CROWD * rounds, "a wake-up was lost");
}

int main(int argc, char **argv)
{
    static const micro_case cases[] = { { "yield", yield },    { "start", start }, { "event", by_event },
                                        { "queue", by_queue }, { "crowd", crowd }, { nullptr, nullptr } };
    return micro_main(cases, argc, argv);
}
