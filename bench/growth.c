/* bench/growth.c - does the cost of one stay the same when there are many? `growth` prints one line of JSON a case:
 * nanoseconds of CPU for each, at each count. A flat row is linear in all; a row that doubles with the count is
 * quadratic. */
#include <cordage.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int yield_ten_times(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        cord_yield();
    return 0;
}

static int sleep_a_bit(void *arg)
{
    return cord_sleep(*(cord_span *)arg);
}

static int wait_for_it(void *arg)
{
    return cord_event_wait(*(cord_event **)arg, CORD_FOREVER);
}

static int wait_with_deadline(void *arg)
{
    return cord_event_wait(*(cord_event **)arg, cord_in(CORD_HOUR));
}

/* Starts count tasks and joins them; `go` is set once they all wait. */
static int64_t many(cord_fn *fn, const void *arg, size_t size, int count, cord_event *go)
{
    cord_group *group;
    int64_t begin = cpu();
    int rc = cord_group_new(&group, NULL);
    for (int i = 0; i < count && rc == 0; i++)
        rc = cord_group_start(group, fn, arg, size);
    if (go != NULL) {
        cord_yield();
        cord_event_set(go);
    }
    if (rc == 0)
        rc = cord_group_join(group, CORD_FOREVER);
    if (rc < 0)
        exit(cord_report("growth", rc));
    return (cpu() - begin) / count;
}

static int measure(void *arg)
{
    static const int counts[] = { 1000, 10000, 100000 };
    enum { COUNTS = sizeof counts / sizeof *counts };
    int64_t cost[6][COUNTS];
    static const char *const names[] = { "start, run, end",   "and ten yields",  "sleep",
                                         "wait for an event", "with a deadline", NULL };
    (void)arg;
    many(nothing, NULL, 0, counts[COUNTS - 1], NULL); /* the stacks' memory comes the first time */
    many(yield_ten_times, NULL, 0, counts[COUNTS - 1], NULL);
    for (int i = 0; i < COUNTS; i++) {
        cord_event event = CORD_EVENT_INIT, *go = &event;
        cord_span bit = 5 * CORD_MILLISECOND;
        cost[0][i] = many(nothing, NULL, 0, counts[i], NULL);
        cost[1][i] = many(yield_ten_times, NULL, 0, counts[i], NULL);
        cost[2][i] = many(sleep_a_bit, &bit, sizeof bit, counts[i], NULL);
        cost[3][i] = many(wait_for_it, &go, sizeof go, counts[i], go);
        cord_event_clear(go);
        cost[4][i] = many(wait_with_deadline, &go, sizeof go, counts[i], go);
    }
    for (int row = 0; names[row] != NULL; row++) {
        printf("{\"case\": \"%s\"", names[row]);
        for (int i = 0; i < COUNTS; i++)
            printf(", \"%d\": %lld", counts[i], (long long)cost[row][i]);
        printf("}\n");
    }
    return 0;
}

int main(void)
{
    return cord_report("growth", cord_run(measure, NULL, NULL));
}
