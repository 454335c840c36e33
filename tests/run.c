/* tests/run.c - cord_run: what it waits for, what it ends, what it does with signals. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int answer_seven(void *arg)
{
    (void)arg;
    return 7;
}

PLAIN_TEST(run_answers_what_fn_answers)
{
    is(cord_run(answer_seven, NULL, NULL), 7);
    for (int i = 0; i < 100; i++) /* each with a loop of its own */
        is(cord_run(answer_seven, NULL, &(cord_run_options){ .stack_size = 16384 }), 7);
}

static int run_inside(void *arg)
{
    return cord_run(answer_seven, arg, NULL);
}

PLAIN_TEST(run_in_a_coroutine_edeadlk)
{
    is(cord_run(run_inside, NULL, NULL), -EDEADLK);
}

static int set_later(void *arg)
{
    int rc = cord_sleep(5 * CORD_MILLISECOND);
    **(_Atomic int **)arg = rc == 0 ? 1 : 2;
    return rc;
}

static _Atomic int *flags; /* shared: one for each kind, then one for each daemon */

static int start_and_leave(void *arg)
{
    (void)arg;
    for (int kind = CORD_COROUTINE; kind <= CORD_PROCESS; kind++) {
        cord_task_options options = { .kind = (cord_kind)kind };
        cord_task *task;
        _Atomic int *flag = &flags[kind];
        ok(cord_task_start(&task, set_later, &flag, sizeof flag, &options));
        cord_task_free(task);
    }
    return 3;
}

PLAIN_TEST(run_waits_for_tasks_of_every_kind)
{
    void *shared;
    ok(cord_shared_new(&shared, 8 * sizeof *flags));
    flags = shared;
    is(cord_run(start_and_leave, NULL, NULL), 3);
    for (int kind = CORD_COROUTINE; kind <= CORD_PROCESS; kind++)
        is(flags[kind], 1);
    cord_shared_free(shared);
}

static int sleep_and_note(void *arg)
{
    int rc = cord_sleep(CORD_HOUR);
    **(_Atomic int **)arg = rc == -ECANCELED ? 2 : 1;
    return rc;
}

static int start_daemons(void *arg)
{
    (void)arg;
    for (int kind = CORD_COROUTINE; kind <= CORD_PROCESS; kind++) {
        cord_task_options options = { .kind = (cord_kind)kind, .daemon = true };
        cord_task *task;
        _Atomic int *flag = &flags[kind];
        ok(cord_task_start(&task, sleep_and_note, &flag, sizeof flag, &options));
        cord_task_free(task);
    }
    return 4;
}

static bool thread_was_cancelled(void *arg)
{
    (void)arg;
    return flags[CORD_THREAD] == 2;
}

PLAIN_TEST(run_ends_daemons_of_every_kind)
{
    void *shared;
    ok(cord_shared_new(&shared, 8 * sizeof *flags));
    flags = shared;
    is(cord_run(start_daemons, NULL, NULL), 4);
    is(flags[CORD_COROUTINE], 2);
    is(children(), 0);
    eventually(thread_was_cancelled, NULL);
    cord_shared_free(shared);
}

static int start_a_daemon_late(void *arg)
{
    cord_task_options options = { .daemon = true };
    cord_task *task;
    ok(cord_sleep(10 * CORD_MILLISECOND)); /* by then fn has answered */
    ok(cord_task_start(&task, sleep_and_note, &flags, sizeof flags, &options));
    cord_task_free(task);
    return *(int *)arg;
}

static int leave_it_to_a_worker(void *arg)
{
    cord_task *task;
    (void)arg;
    ok(cord_task_start(&task, start_a_daemon_late, &(int){ 0 }, sizeof(int), NULL));
    cord_task_free(task);
    return 0;
}

PLAIN_TEST(run_ends_a_daemon_that_was_started_after_fn_had_answered)
{
    void *shared;
    ok(cord_shared_new(&shared, 8 * sizeof *flags));
    flags = shared;
    is(cord_run(leave_it_to_a_worker, NULL, NULL), 0);
    is(flags[0], 2);
    cord_shared_free(shared);
}

/* --- a loop's thread: how it is cancelled, and what it is afterwards --- */

static int64_t cpu_of_thread(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * CORD_SECOND + used.tv_nsec;
}

static int interrupt_and_leave(void *arg)
{
    (void)arg;
    return raise(SIGINT); /* it writes to wake the loop, which ends without having slept */
}

PLAIN_TEST(thread_sleeps_in_a_socket_after_its_loop_was_woken_in_vain)
{
    cord_socket pair[2];
    char byte;
    ok(cord_socket_pair(pair, CORD_UNIX));
    ok(cord_run(interrupt_and_leave, NULL, &(cord_run_options){ .signals = CORD_SIGNALS_DEFAULT }));
    int64_t before = cpu_of_thread();
    is(cord_recv(pair[0], &byte, 1, cord_in(500 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_lt(cpu_of_thread() - before, slow() * 20 * CORD_MILLISECOND);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

static _Atomic int about_to_run;

static int sleep_till_cancelled(void *arg)
{
    (void)arg;
    return cord_sleep(CORD_HOUR);
}

static int run_in_thread(void *arg)
{
    about_to_run = 1;
    return cord_run(sleep_till_cancelled, arg, NULL);
}

/* The cancel comes at any moment of a loop's beginning, the more likely at the one where the thread becomes it. */
PLAIN_TEST(cancel_as_a_thread_becomes_a_loop_ends_it)
{
    for (int round = 0; round < 3000; round++) {
        cord_task *task;
        about_to_run = 0;
        ok(cord_task_start(&task, run_in_thread, NULL, 0, &(cord_task_options){ .kind = CORD_THREAD }));
        while (!about_to_run)
            (void)cord_yield();
        for (volatile int spin = 0; spin < round * 7; spin++)
            ;
        cord_task_cancel(task);
        join(task, -ECANCELED);
    }
}

/* --- calls --- */

PLAIN_TEST(backend_says_which_and_why)
{
    char why[160];
    setenv("CORD_BACKEND", "epoll", 1);
    ck_assert_str_eq(cord_backend(why, sizeof why), "epoll");
    ck_assert_str_eq(why, "CORD_BACKEND=epoll asks for it");
    setenv("CORD_BACKEND", "kqueue", 1);
    ck_assert_str_eq(cord_backend(why, sizeof why), "epoll");
    ck_assert_ptr_nonnull(strstr(why, "neither"));
    unsetenv("CORD_BACKEND");
}

static char logged[256];

static void keep_line(const char *line)
{
    strncpy(logged, line, sizeof logged - 1);
}

static int run_out_of_space(void *arg)
{
    (void)arg;
    return -ENOSPC;
}

static int lose_a_failure(void *arg)
{
    (void)arg;
    return cord_task_start(NULL, run_out_of_space, NULL, 0, &(cord_task_options){ .name = "careless" });
}

PLAIN_TEST(a_failure_nobody_joins_is_logged)
{
    cord_log_set(keep_line);
    ok(cord_run(lose_a_failure, NULL, NULL));
    ck_assert_str_eq(logged, "task \"careless\": No space left on device");
}

static int deep_sleepers(void *arg)
{
    cord_group *group;
    (void)arg;
    ok(cord_group_new(&group, NULL));
    for (int i = 0; i < (under_valgrind() ? 500 : 10000); i++) {
        _Atomic int *flag = &flags[0];
        ok(cord_group_start(group, sleep_and_note, &flag, sizeof flag));
    }
    ok(cord_sleep(CORD_MILLISECOND));
    cord_group_cancel(group);
    return cord_group_join(group, soon());
}

PLAIN_TEST(ten_thousand_timers_are_set_and_cancelled)
{
    void *shared;
    ok(cord_shared_new(&shared, sizeof *flags));
    flags = shared;
    is(cord_run(deep_sleepers, NULL, NULL), 0);
    cord_shared_free(shared);
}

struct sleeper {
    int place;
    cord_deadline until;
};

static int note_order(void *arg)
{
    static cord_event never = CORD_EVENT_INIT;
    static int order;
    const struct sleeper *self = arg;
    int rc = cord_event_wait(&never, self->until);
    return rc == -ETIMEDOUT && order++ == self->place ? 0 : -EPROTO;
}

static int sleepers_in_order(void *arg)
{
    cord_group *group;
    (void)arg;
    ok(cord_group_new(&group, NULL));
    cord_deadline first = cord_in(CORD_SECOND / 10 * slow()); /* all wait by then */
    for (int i = 9; i >= 0; i--) {
        struct sleeper sleeper = { i, { first.at + i * 2 * CORD_MILLISECOND } };
        ok(cord_group_start(group, note_order, &sleeper, sizeof sleeper));
    }
    return cord_group_join(group, soon());
}

PLAIN_TEST(sleepers_wake_in_the_order_of_their_deadlines)
{
    is(cord_run(sleepers_in_order, NULL, NULL), 0);
}

PLAIN_TEST(spans_are_read_and_refused)
{
    cord_span span;
    static const struct {
        const char *text;
        cord_span span;
    } good[] = { { "500ms", 500 * CORD_MILLISECOND },
                 { "1.5", 3 * CORD_SECOND / 2 },
                 { "2m", 2 * CORD_MINUTE },
                 { "1h", CORD_HOUR },
                 { "0", 0 },
                 { "250us", 250000 },
                 { "7ns", 7 },
                 { "0.001s", CORD_MILLISECOND } };
    static const char *const bad[] = { "", "ms", "-1", "1.", ".", "1x", "1 s", "1e9", "99999999999999999h" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ok(cord_span_parse(&span, good[i].text));
        ck_assert_int_eq(span, good[i].span);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        is(cord_span_parse(&span, bad[i]), -EINVAL);
}

/* --- turns and spinning --- */

struct crowd {
    bool done;
    int resumes, at_deadline; /* of all that compute */
};

static int64_t busy(int64_t span)
{
    int64_t begun = cord_now(), now;
    do
        now = cord_now();
    while (now - begun < span);
    return now;
}

struct member {
    struct crowd *crowd;
    int64_t deadline;
};

static int compute_and_yield(void *arg)
{
    struct member *member = arg;
    while (!member->crowd->done) {
        int64_t now = busy(100 * CORD_MICROSECOND);
        member->crowd->resumes++;
        if (member->crowd->at_deadline == 0 && now >= member->deadline)
            member->crowd->at_deadline = member->crowd->resumes;
        if (cord_yield() < 0)
            break;
    }
    return 0;
}

static int sleep_in_a_crowd(void *arg)
{
    struct crowd crowd = { 0 };
    struct member member = { &crowd, cord_now() + 20 * CORD_MILLISECOND };
    cord_group *group;
    (void)arg;
    ok(cord_group_new(&group, NULL));
    for (int i = 0; i < 2; i++)
        ok(cord_group_start(group, compute_and_yield, &member, sizeof member));
    ok(cord_sleep(20 * CORD_MILLISECOND));
    int late = crowd.resumes - crowd.at_deadline;
    crowd.done = true;
    ok(cord_group_join(group, soon()));
    ck_assert_int_lt(late, 32); /* a turn has 64 when nobody looks at the clock */
    return 0;
}

PLAIN_TEST(turn_of_long_resumes_ends_early)
{
    is(cord_run(sleep_in_a_crowd, NULL, NULL), 0);
}

struct rally {
    cord_event ping, pong;
};

static int answer(void *arg)
{
    struct rally *rally = arg;
    for (int i = 0; i < 500; i++) {
        ok(cord_event_wait(&rally->ping, soon()));
        cord_event_clear(&rally->ping);
        cord_event_set(&rally->pong);
    }
    return 0;
}

static int64_t cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * CORD_SECOND + t.tv_nsec;
}

static int rally_then_idle(void *arg)
{
    struct rally rally = { CORD_EVENT_INIT, CORD_EVENT_INIT };
    cord_task_options thread = { .kind = CORD_THREAD };
    cord_task *task;
    (void)arg;
    ok(cord_task_start(&task, answer, &rally, 0, &thread));
    for (int i = 0; i < 500; i++) {
        cord_event_set(&rally.ping);
        ok(cord_event_wait(&rally.pong, soon()));
        cord_event_clear(&rally.pong);
    }
    ok(cord_task_join(task, soon(), NULL));
    cord_task_free(task);
    int64_t begun = cpu_time();
    for (int i = 0; i < 20; i++)
        ok(cord_sleep(20 * CORD_MILLISECOND));
    ck_assert_int_lt(cpu_time() - begun, 200 * CORD_MILLISECOND); /* of 400: it gave up looking */
    return 0;
}

PLAIN_TEST(loop_that_spins_is_woken_and_gives_up_when_idle)
{
    cord_run_options options = { .spin = 10 * CORD_MILLISECOND };
    is(cord_run(rally_then_idle, NULL, &options), 0);
}

PLAIN_TEST(spin_out_of_range_einval)
{
    is(cord_run(rally_then_idle, NULL, &(cord_run_options){ .spin = -1 }), -EINVAL);
    is(cord_run(rally_then_idle, NULL, &(cord_run_options){ .spin = 2 * CORD_SECOND }), -EINVAL);
}

int main(void)
{
    return run_tests("run", PLAIN(run_answers_what_fn_answers), PLAIN(run_in_a_coroutine_edeadlk),
                     PLAIN(run_waits_for_tasks_of_every_kind), PLAIN(run_ends_daemons_of_every_kind),
                     PLAIN(run_ends_a_daemon_that_was_started_after_fn_had_answered),
                     PLAIN(thread_sleeps_in_a_socket_after_its_loop_was_woken_in_vain),
                     SLOW(PLAIN(cancel_as_a_thread_becomes_a_loop_ends_it), 60), PLAIN(backend_says_which_and_why),
                     PLAIN(a_failure_nobody_joins_is_logged), PLAIN(ten_thousand_timers_are_set_and_cancelled),
                     PLAIN(sleepers_wake_in_the_order_of_their_deadlines), PLAIN(spans_are_read_and_refused),
                     PLAIN(turn_of_long_resumes_ends_early), PLAIN(loop_that_spins_is_woken_and_gives_up_when_idle),
                     PLAIN(spin_out_of_range_einval), END);
}
