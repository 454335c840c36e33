// The case "coroutines" of bench/lock.c by Boost.Fiber.
#include "../guarded.h"

#include <boost/fiber/all.hpp>
#include <vector>

static void coroutines(long count)
{
    boost::fibers::mutex mutex;
    guarded guarded = { count, 0, 0 };
    std::vector<boost::fibers::fiber> fibers;
    auto contend = [&] {
        int more = 1;
        boost::this_fiber::yield();
        for (long mine = 0; more; mine++) {
            std::unique_lock<boost::fibers::mutex> held(mutex);
            more = guarded_work(&guarded, mine);
            if (mine % GUARDED_YIELD == 0)
                boost::this_fiber::yield();
        }
    };
    for (int i = 0; i < GUARDED_CROWD; i++)
        fibers.emplace_back(contend);
    boost::this_fiber::yield();
    micro_begin();
    for (auto &fiber : fibers)
        fiber.join();
    guarded_check(&guarded, count);
}

int main(int argc, char **argv)
{
    static const micro_case cases[] = { { "coroutines", coroutines }, { nullptr, nullptr } };
    return micro_main(cases, argc, argv);
}
