/* bench/wake.c - how long until a task on another loop goes on, from the moment it is woken. `wake` prints one line of
 * JSON a case: the median, in nanoseconds.
 *
 * The receiver runs on another CPU and is asleep, or busy with a task that yields for ever, or still looks for work
 * before it sleeps (.spin). The yardstick is two threads with an eventfd and an epoll. Each wake is timed from just
 * before it is sent until the receiver reads the clock, cases in turns, so that a slow phase of the machine hits all of
 * them. */
#include <cordage.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 9, PER_ROUND = 300, SAMPLES = ROUNDS * PER_ROUND };

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void spin_for(int64_t ns)
{
    for (int64_t end = now() + ns; now() < end;)
        ;
}

static cpu_set_t all; /* that this process may use */

/* The two ends must not share a CPU. */
static void pin(unsigned cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    for (unsigned i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all) && cpu-- == 0)
            CPU_SET(i, &one);
    if (CPU_COUNT(&one) == 1)
        (void)!sched_setaffinity(0, sizeof one, &one);
}

/* What the receiver notes for the sender. */
static _Atomic int64_t woken_at;
static _Atomic bool end;

struct samples {
    const char *name;
    int count;
    int64_t ns[SAMPLES];
};

static int64_t reply(void)
{
    int64_t at;
    while ((at = atomic_load_explicit(&woken_at, memory_order_relaxed)) == 0)
        ;
    woken_at = 0;
    return at;
}

/* --- two threads --- */

static int bell;

static void *wait_bare(void *arg)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN };
    uint64_t count;
    (void)arg;
    pin(1);
    epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event);
    while (!end) {
        epoll_wait(epoll, &event, 1, -1);
        (void)!read(bell, &count, sizeof count);
        woken_at = now();
    }
    close(epoll);
    return NULL;
}

/* The least that anything between two CPUs can take: one sees what the other wrote. */
static void *watch_word(void *arg)
{
    _Atomic int *word = arg;
    pin(1);
    for (int i = 1; i <= PER_ROUND; i++) {
        while (*word != i)
            ;
        woken_at = now();
    }
    return NULL;
}

static void measure_word(struct samples *samples)
{
    pthread_t thread;
    _Atomic int word = 0;
    pthread_create(&thread, NULL, watch_word, (void *)&word);
    for (int i = 1; i <= PER_ROUND; i++) {
        spin_for(i == 1 ? 1000000 : 5000);
        int64_t begin = now();
        word = i;
        samples->ns[samples->count++] = reply() - begin;
    }
    pthread_join(thread, NULL);
}

static void ring_bare(void)
{
    uint64_t one = 1;
    (void)!write(bell, &one, sizeof one);
}

static void measure_bare(struct samples *samples)
{
    pthread_t thread;
    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    end = false;
    pthread_create(&thread, NULL, wait_bare, NULL);
    for (int i = 0; i <= PER_ROUND; i++) {
        spin_for(200000); /* by now it sleeps */
        int64_t begin = now();
        end = i == PER_ROUND;
        ring_bare();
        samples->ns[samples->count] = reply() - begin;
        samples->count += i < PER_ROUND;
    }
    pthread_join(thread, NULL);
    close(bell);
}

/* --- two loops --- */

struct party {
    cord_event go;
    bool busy;
};

static int yield_for_ever(void *arg)
{
    (void)arg;
    while (!end)
        cord_yield();
    return 0;
}

/* Begins on the other loop, since the one of who started it computes. */
static int receive(void *arg)
{
    struct party *party = arg;
    pin(1);
    if (party->busy && cord_task_start(NULL, yield_for_ever, NULL, 0, NULL) < 0)
        exit(1);
    woken_at = now();
    while (!end) {
        if (cord_event_wait(&party->go, CORD_FOREVER) < 0)
            exit(1);
        int64_t at = now();
        cord_event_clear(&party->go); /* before the sender may go on */
        woken_at = at;
    }
    return 0;
}

/* pause: between wakes; cost: the sender's, if asked for. */
static void measure_tasks(struct samples *samples, struct samples *cost, bool busy, int64_t pause)
{
    struct party party = { .go = CORD_EVENT_INIT, .busy = busy };
    cord_task *receiver;
    end = false;
    if (cord_task_start(&receiver, receive, &party, 0, &(cord_task_options){ .loop = CORD_LOOP_ANY }) < 0)
        exit(1);
    reply();
    for (int i = 0; i <= PER_ROUND; i++) {
        spin_for(pause);
        int64_t begin = now();
        end = i == PER_ROUND;
        cord_event_set(&party.go);
        int64_t sent = now();
        samples->ns[samples->count] = reply() - begin;
        samples->count += i < PER_ROUND;
        if (cost && i < PER_ROUND)
            cost->ns[cost->count++] = sent - begin;
    }
    if (cord_task_join(receiver, CORD_FOREVER, NULL) < 0)
        exit(1);
    cord_task_free(receiver);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print(struct samples *samples)
{
    qsort(samples->ns, (size_t)samples->count, sizeof *samples->ns, by_size);
    printf("{\"case\": \"%s\", \"ns\": %lld}\n", samples->name, (long long)samples->ns[samples->count / 2]);
}

static struct samples word = { .name = "a word, watched" }, bare = { .name = "eventfd and epoll, asleep" },
                      asleep = { .name = "task, asleep" }, spinning = { .name = "task, spinning" },
                      busy = { .name = "task, busy" }, cost = { .name = "task, busy: cost to the sender" };

static int measure(void *arg)
{
    (void)arg;
    pin(0);
    for (int round = 0; round < ROUNDS; round++) {
        measure_word(&word);
        measure_bare(&bare);
        measure_tasks(&asleep, NULL, false, 200000);
        measure_tasks(&spinning, NULL, false, 5000);
        measure_tasks(&busy, &cost, true, 5000);
    }
    print(&word);
    print(&bare);
    print(&asleep);
    print(&spinning);
    print(&busy);
    print(&cost);
    return 0;
}

int main(void)
{
    (void)!sched_getaffinity(0, sizeof all, &all);
    return cord_report("wake",
                       cord_run(measure, NULL, &(cord_run_options){ .loops = 2, .spin = 50 * CORD_MICROSECOND }));
}
