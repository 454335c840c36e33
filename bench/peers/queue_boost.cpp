// The cases "processes-8" and "processes-256" of bench/queue.c by the message queue of Boost.Interprocess.
#include "../pair.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <memory>
#include <string>

using boost::interprocess::message_queue;

static std::unique_ptr<message_queue> queue;
static std::size_t size;

static void put(long count)
{
    char item[PAIR_LARGE] = {};
    for (long i = 0; i < count; i++) {
        pair_number(item, i);
        queue->send(item, size, 0);
    }
}

static void get(long count)
{
    char item[PAIR_LARGE];
    message_queue::size_type received;
    unsigned priority;
    for (long i = 0; i < count; i++) {
        queue->receive(item, sizeof item, received, priority);
        micro_check(received == size, "the size of a message");
        pair_expect(item, i);
    }
}

static void processes(std::size_t bytes, long count)
{
    std::string name = "cordage-bench-" + std::to_string(getpid());
    size = bytes;
    queue = std::make_unique<message_queue>(boost::interprocess::create_only, name.c_str(), PAIR_ROOM, size);
    message_queue::remove(name.c_str()); // its name; the memory stays until both ends have gone
    pair_processes(put, get, count);
    queue.reset();
}

int main(int argc, char **argv)
{
    static const micro_case cases[] = { { "processes-8", [](long count) { processes(PAIR_SMALL, count); } },
                                        { "processes-256", [](long count) { processes(PAIR_LARGE, count); } },
                                        { nullptr, nullptr } };
    return micro_main(cases, argc, argv);
}
