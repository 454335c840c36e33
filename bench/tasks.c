/* bench/tasks.c - what the scheduler costs: `tasks CASE [SECONDS [beside]]`, on one loop, CPU nanoseconds for each.
 *
 *   yield    cord_yield() of two coroutines in turn
 *   start    start, run to the end, join and free of one coroutine
 *   event    one hand-over of two coroutines that wait for each other's event: a set, a wait, a wake; half a round trip
 *   queue    the same by two queues of one item
 *   crowd    a thousand wait for an event, which is set: until all have run and wait for the next, for each of them
 */
#include "micro.h"

#include <cordage.h>

static void check(int rc)
{
    if (rc < 0)
        exit(cord_report("tasks", rc));
}

/* Runs fn as two tasks, one with each argument. */
static void both(cord_fn *fn, const void *one, const void *other, size_t size)
{
    cord_group *group;
    check(cord_group_new(&group, NULL));
    check(cord_group_start(group, fn, one, size));
    check(cord_group_start(group, fn, other, size));
    check(cord_group_join(group, CORD_FOREVER));
}

static int yield_many(void *count)
{
    for (long i = *(long *)count; i > 0; i--)
        cord_yield();
    return 0;
}

static void yield(long count)
{
    count /= 2;
    both(yield_many, &count, &count, sizeof count);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void start(long count)
{
    for (long i = 0; i < count; i++) {
        cord_task *task;
        check(cord_task_start(&task, nothing, NULL, 0, NULL));
        check(cord_task_join(task, CORD_FOREVER, NULL));
        cord_task_free(task);
    }
}

struct by_event {
    cord_event *mine, *other;
    long count;
};

static int pass_event(void *arg)
{
    const struct by_event *pass = arg;
    for (long i = pass->count; i > 0; i--) {
        check(cord_event_wait(pass->mine, CORD_FOREVER));
        cord_event_clear(pass->mine);
        cord_event_set(pass->other);
    }
    return 0;
}

static void event(long count)
{
    cord_event ping = CORD_EVENT_INIT, pong = CORD_EVENT_INIT;
    cord_event_set(&ping);
    both(pass_event, &(struct by_event){ &ping, &pong, count / 2 }, &(struct by_event){ &pong, &ping, count / 2 },
         sizeof(struct by_event));
}

struct by_queue {
    cord_queue *mine, *other;
    long count;
};

static int pass_item(void *arg)
{
    const struct by_queue *pass = arg;
    for (long i = pass->count, item; i > 0; i--) {
        check(cord_queue_get(pass->mine, &item, CORD_FOREVER));
        check(cord_queue_put(pass->other, &item, CORD_FOREVER));
    }
    return 0;
}

static void queue(long count)
{
    cord_queue *there, *back;
    check(cord_queue_new(&there, sizeof(long), 1, 0));
    check(cord_queue_new(&back, sizeof(long), 1, 0));
    check(cord_queue_put(there, &count, CORD_FOREVER));
    both(pass_item, &(struct by_queue){ there, back, count / 2 }, &(struct by_queue){ back, there, count / 2 },
         sizeof(struct by_queue));
    cord_queue_free(there);
    cord_queue_free(back);
}

enum { CROWD = 1000 };

/* Two events in turn, so that each is cleared while nobody can wait for it. */
struct crowd {
    cord_event events[2];
    long rounds, ran;
};

static int wait_in_crowd(void *arg)
{
    struct crowd *crowd = *(struct crowd **)arg;
    for (long i = 0; i < crowd->rounds; i++) {
        check(cord_event_wait(&crowd->events[i % 2], CORD_FOREVER));
        crowd->ran++;
    }
    return 0;
}

static void crowd(long count)
{
    struct crowd crowd = { .rounds = (count + CROWD - 1) / CROWD }, *shared = &crowd;
    cord_group *group;
    check(cord_group_new(&group, NULL));
    for (int i = 0; i < CROWD; i++)
        check(cord_group_start(group, wait_in_crowd, &shared, sizeof shared));
    cord_yield();
    micro_begin();
    for (long i = 0; i < crowd.rounds; i++) {
        cord_event_clear(&crowd.events[(i + 1) % 2]);
        cord_event_set(&crowd.events[i % 2]);
        while (crowd.ran < CROWD * (i + 1))
            cord_yield();
    }
    micro_end();
    check(cord_group_join(group, CORD_FOREVER));
    micro_check(crowd.ran == CROWD * crowd.rounds, "a wake-up was lost");
}

static int argument_count;

static int measure(void *arguments)
{
    static const struct micro_case cases[] = { { "yield", yield }, { "start", start }, { "event", event },
                                               { "queue", queue }, { "crowd", crowd }, { NULL, NULL } };
    return micro_main(cases, argument_count, arguments);
}

int main(int argc, char **argv)
{
    argument_count = argc;
    return cord_report("tasks", cord_run(measure, argv, NULL));
}
