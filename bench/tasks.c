/* bench/tasks.c - what the scheduler costs: `tasks CASE [SECONDS]`, on one loop, CPU nanoseconds for each.
 *
 *   yield    cord_yield() of two coroutines in turn
 *   start    start, run to the end, join and free of one coroutine
 *   event    one hand-over of two coroutines that wait for each other's event: a set, a wait, a wake (half a round
 * trip) queue    the same by two queues of one item
 */
#include "micro.h"

#include <cordage.h>

static void check(int rc)
{
    if (rc < 0)
        exit(cord_report("tasks", rc));
}

static int yield_many(void *count)
{
    for (long i = *(long *)count; i > 0; i--)
        cord_yield();
    return 0;
}

/* Runs fn(&count) beside the calling task, which goes on with mine(&count). */
static void beside(cord_fn *fn, cord_fn *mine, long count)
{
    cord_task *other;
    check(cord_task_start(&other, fn, &count, sizeof count, NULL));
    check(mine(&count));
    check(cord_task_join(other, CORD_FOREVER, NULL));
    cord_task_free(other);
}

static void yield(long count)
{
    beside(yield_many, yield_many, count / 2);
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

static cord_event ping = CORD_EVENT_INIT, pong = CORD_EVENT_INIT;

static int give_event(void *count)
{
    for (long i = *(long *)count; i > 0; i--) {
        cord_event_set(&ping);
        check(cord_event_wait(&pong, CORD_FOREVER));
        cord_event_clear(&pong);
    }
    return 0;
}

static int answer_event(void *count)
{
    for (long i = *(long *)count; i > 0; i--) {
        check(cord_event_wait(&ping, CORD_FOREVER));
        cord_event_clear(&ping);
        cord_event_set(&pong);
    }
    return 0;
}

static void event(long count)
{
    beside(answer_event, give_event, count / 2);
}

static cord_queue *there, *back;

static int give_item(void *count)
{
    for (long i = *(long *)count; i > 0; i--) {
        check(cord_queue_put(there, &i, CORD_FOREVER));
        check(cord_queue_get(back, &i, CORD_FOREVER));
    }
    return 0;
}

static int answer_item(void *count)
{
    for (long i = *(long *)count, item; i > 0; i--) {
        check(cord_queue_get(there, &item, CORD_FOREVER));
        check(cord_queue_put(back, &item, CORD_FOREVER));
    }
    return 0;
}

static void queue(long count)
{
    check(cord_queue_new(&there, sizeof(long), 1, 0));
    check(cord_queue_new(&back, sizeof(long), 1, 0));
    beside(answer_item, give_item, count / 2);
    cord_queue_free(there);
    cord_queue_free(back);
}

static int argument_count;

static int measure(void *arguments)
{
    static const struct micro_case cases[] = {
        { "yield", yield }, { "start", start }, { "event", event }, { "queue", queue }, { NULL, NULL }
    };
    return micro_main(cases, argument_count, arguments);
}

int main(int argc, char **argv)
{
    argument_count = argc;
    return cord_report("tasks", cord_run(measure, argv, NULL));
}
