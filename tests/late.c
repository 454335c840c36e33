/* tests/late.c - events set and permits given by signal handlers, while the thread they interrupt does the same and
 * switches between tasks as fast as it can. */
#include "waiting.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 3000 };

static struct {
    cord_event *event;
    cord_sem *sem;
    _Atomic int armed;      /* the next signal sets the event */
    _Atomic uint64_t given; /* permits, by the handler */
    _Atomic uint64_t signals;
} in_handler;

static void on_signal(int signo)
{
    (void)signo;
    int saved = errno;
    atomic_fetch_add(&in_handler.signals, 1);
    if (in_handler.event != NULL && atomic_exchange(&in_handler.armed, 0))
        cord_event_set(in_handler.event);
    if (in_handler.sem != NULL && cord_sem_release(in_handler.sem, 1) == 0)
        atomic_fetch_add(&in_handler.given, 1);
    errno = saved;
}

/* Signals for the calling thread, every 20 us of its CPU's time. */
static timer_t storm_begin(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2 };
    long pause = slow() == 1 ? 20000 : 2000000; /* a sanitizer's handlers take longer than 20 us */
    struct itimerspec often = { { 0, pause }, { 0, pause } };
    timer_t timer;
    event._sigev_un._tid = gettid();
    ck_assert_int_eq(sigaction(SIGUSR2, &action, NULL), 0);
    ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    ck_assert_int_eq(timer_settime(timer, 0, &often, NULL), 0);
    return timer;
}

static void storm_end(timer_t timer)
{
    ck_assert_int_eq(timer_delete(timer), 0);
    memset(&in_handler, 0, sizeof in_handler);
}

struct pair {
    cord_event *event[2];
    _Atomic int *stop;
    int side;
};

/* Two of these hand over to each other: each is woken and wakes all the time. */
static int ping(void *arg)
{
    const struct pair *pair = arg;
    while (!atomic_load(pair->stop)) {
        int rc = cord_event_wait(pair->event[pair->side], soon());
        if (rc < 0)
            return rc;
        cord_event_clear(pair->event[pair->side]);
        cord_event_set(pair->event[!pair->side]);
        (void)cord_yield();
    }
    cord_event_set(pair->event[!pair->side]);
    return 0;
}

struct noise {
    struct pair pair;
    _Atomic int *stop;
    cord_task *tasks[2];
};

static void noise_begin(struct noise *noise)
{
    noise->stop = board_new(sizeof *noise->stop);
    noise->pair = (struct pair){ .stop = noise->stop };
    for (int i = 0; i < 2; i++)
        ok(cord_event_new(&noise->pair.event[i], flags()));
    for (int i = 0; i < 2; i++) {
        noise->pair.side = i;
        noise->tasks[i] = start(ping, &noise->pair, sizeof noise->pair);
    }
    cord_event_set(noise->pair.event[0]);
}

static void noise_end(struct noise *noise)
{
    atomic_store(noise->stop, 1);
    cord_event_set(noise->pair.event[0]);
    for (int i = 0; i < 2; i++)
        join(noise->tasks[i], 0);
    for (int i = 0; i < 2; i++)
        cord_event_free(noise->pair.event[i]);
    cord_shared_free(noise->stop);
}

static void each_set_wakes(int how)
{
    if (CORDI_TSAN && how == CORD_SHARED)
        skip("ThreadSanitizer holds signals back from who is in a system call that it does not know");
    struct noise noise;
    cord_event *event;
    ok(cord_event_new(&event, how));
    noise_begin(&noise);
    in_handler.event = event;
    timer_t storm = storm_begin();
    for (int round = 0; round < (slow() == 1 ? ROUNDS : ROUNDS / 20); round++) {
        atomic_store(&in_handler.armed, 1);
        is(cord_event_wait(event, soon()), 0);
        cord_event_clear(event);
    }
    storm_end(storm);
    noise_end(&noise);
    cord_event_free(event);
}

MODE_TEST(event_set_by_a_handler_wakes_each_time)
{
    each_set_wakes(0);
}

MODE_TEST(event_set_by_a_handler_wakes_each_time_shared)
{
    each_set_wakes(CORD_SHARED);
}

static void each_permit_is_had(int how)
{
    if (CORDI_TSAN && how == CORD_SHARED)
        skip("ThreadSanitizer holds signals back from who is in a system call that it does not know");
    struct noise noise;
    cord_sem *sem;
    ok(cord_sem_new(&sem, 0, 0, how));
    noise_begin(&noise);
    in_handler.sem = sem;
    timer_t storm = storm_begin();
    uint64_t had = 0;
    for (; had < (uint64_t)(slow() == 1 ? ROUNDS : ROUNDS / 20); had++)
        is(cord_sem_acquire(sem, soon()), 0);
    uint64_t given_before_end;
    ck_assert_int_eq(timer_delete(storm), 0);
    ok(cord_yield());
    given_before_end = atomic_load(&in_handler.given);
    while (cord_sem_acquire(sem, CORD_NOWAIT) == 0)
        had++;
    ck_assert_uint_eq(had, given_before_end);
    memset(&in_handler, 0, sizeof in_handler);
    noise_end(&noise);
    cord_sem_free(sem);
}

MODE_TEST(permits_given_by_a_handler_are_all_had)
{
    each_permit_is_had(0);
}

MODE_TEST(permits_given_by_a_handler_are_all_had_shared)
{
    each_permit_is_had(CORD_SHARED);
}

/* The loop sleeps in its backend, the thread in its futex: the handler ends it. */
MODE_TEST(event_set_by_a_handler_ends_a_sleep)
{
    cord_event event = CORD_EVENT_INIT;
    in_handler.event = &event;
    struct sigaction action = { .sa_handler = on_signal };
    struct sigevent once = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2 };
    struct itimerspec later = { { 0, 0 }, { 0, 5000000 } };
    timer_t timer;
    once._sigev_un._tid = gettid();
    ck_assert_int_eq(sigaction(SIGUSR2, &action, NULL), 0);
    ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &once, &timer), 0);
    for (int round = 0; round < 20; round++) {
        atomic_store(&in_handler.armed, 1);
        ck_assert_int_eq(timer_settime(timer, 0, &later, NULL), 0);
        is(cord_event_wait(&event, round % 2 ? CORD_FOREVER : soon()), 0);
        cord_event_clear(&event);
    }
    storm_end(timer);
}

int main(void)
{
    return run_tests("late", MODE(event_set_by_a_handler_wakes_each_time),
                     MODE(event_set_by_a_handler_wakes_each_time_shared), MODE(permits_given_by_a_handler_are_all_had),
                     MODE(permits_given_by_a_handler_are_all_had_shared), MODE(event_set_by_a_handler_ends_a_sleep),
                     END);
}
