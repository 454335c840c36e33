/* bench/timers.c - what it costs to arm a timer and to cancel it, while many others are armed. `timers` prints one line
 * of JSON a case: nanoseconds of CPU for each, at each count.
 *
 * Coroutines wait for an event each, with a deadline in an hour, and a setter sets the events in turn. What is printed
 * is the cost of such a wait less that of the same wait without a deadline. "arm, cancel": always the same one waits
 * anew. "replace the oldest": one after the other; what a server's time-outs do. Its memory is cold by then.
 */
#include <cordage.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { COUNTS = 4, ROUNDS = 3, TURNS = 100000, BATCH = 32 };
static const int counts[COUNTS] = { 100, 10000, 100000, 1000000 };

struct crowd {
    cord_event *events;
    int64_t deadline; /* of the next wait; each is a little later */
    bool armed;       /* waits get a deadline */
    bool over;
};

struct member {
    struct crowd *crowd;
    cord_event *event;
};

static int64_t cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int wait_again_and_again(void *arg)
{
    const struct member *member = arg;
    struct crowd *crowd = member->crowd;
    int rc = 0;
    while (rc == 0 && !crowd->over) {
        cord_deadline deadline = { crowd->deadline += CORD_MICROSECOND };
        rc = cord_event_wait(member->event, crowd->armed ? deadline : CORD_FOREVER);
        cord_event_clear(member->event);
    }
    return rc;
}

/* Nanoseconds for each of many waits of the first `members`. */
static double waits(struct crowd *crowd, int members, bool armed)
{
    int batch = members < BATCH ? 1 : BATCH, turns = members < TURNS ? TURNS : members;
    crowd->armed = armed;
    int64_t begin = cpu();
    for (int i = 0; i < turns; i++) {
        cord_event_set(&crowd->events[i % members]);
        if (i % batch == batch - 1)
            cord_yield();
    }
    return (double)(cpu() - begin) / turns;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double cost_of_a_deadline(struct crowd *crowd, int members)
{
    double costs[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        waits(crowd, members, false); /* takes the deadlines away; and brings them back below */
        double without = waits(crowd, members, false);
        waits(crowd, members, true);
        costs[i] = waits(crowd, members, true) - without;
    }
    qsort(costs, ROUNDS, sizeof *costs, ascending);
    return costs[ROUNDS / 2];
}

static int measure_at(int count, double ret[2])
{
    struct crowd crowd = { .deadline = cord_in(CORD_HOUR).at, .armed = true };
    cord_group *group = NULL;
    int rc = cord_group_new(&group, NULL);
    crowd.events = calloc((size_t)count, sizeof *crowd.events);
    if (crowd.events == NULL)
        rc = -ENOMEM;
    for (int i = 0; i < count && rc == 0; i++) {
        struct member member = { &crowd, &crowd.events[i] };
        rc = cord_group_start(group, wait_again_and_again, &member, sizeof member);
    }
    if (rc == 0) {
        cord_yield(); /* lets each of them reach its wait */
        ret[0] = cost_of_a_deadline(&crowd, 1);
        ret[1] = cost_of_a_deadline(&crowd, count);
    }
    crowd.over = true;
    for (int i = 0; i < count && rc == 0; i++)
        cord_event_set(&crowd.events[i]);
    if (rc == 0)
        rc = cord_group_join(group, CORD_FOREVER);
    free(crowd.events);
    return rc;
}

static int measure(void *arg)
{
    static const char *const names[2] = { "arm, cancel", "replace the oldest" };
    double costs[COUNTS][2];
    int rc = 0;
    (void)arg;
    for (int i = 0; i < COUNTS && rc == 0; i++)
        rc = measure_at(counts[i], costs[i]);
    for (int row = 0; row < 2 && rc == 0; row++) {
        printf("{\"case\": \"%s\"", names[row]);
        for (int i = 0; i < COUNTS; i++)
            printf(", \"%d\": %.1f", counts[i], costs[i][row]);
        printf("}\n");
    }
    return rc;
}

int main(void)
{
    return cord_report("timers", cord_run(measure, NULL, NULL));
}
