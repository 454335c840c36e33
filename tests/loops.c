/* tests/loops.c - several loops in one cord_run(): where tasks run, that they stay there, and how all of it ends. */
#include "loops.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "rt/task.h"

/* --- where they run --- */

static pthread_barrier_t barrier;

static int block_at_barrier(void *arg)
{
    int *thread = arg;
    *thread = thread_id();
    pthread_barrier_wait(&barrier);
    return 0;
}

static int fill_all_loops(void *arg)
{
    unsigned loops = *(unsigned *)arg;
    int threads[8];
    cord_task *tasks[8];
    for (int round = 0; round < 20; round++) {
        for (unsigned i = 0; i < loops; i++)
            tasks[i] = begin(block_at_barrier, &threads[i]);
        for (unsigned i = 0; i < loops; i++)
            join(tasks[i], 0);
        for (unsigned i = 0; i < loops; i++)
            for (unsigned j = 0; j < i; j++)
                ck_assert_int_ne(threads[i], threads[j]);
    }
    return 0;
}

LOOPS_TEST(any_tasks_that_block_their_threads_get_a_loop_each)
{
    for (unsigned loops = 2; loops <= 8; loops *= 2) {
        ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, loops), 0);
        is(run_on(loops, fill_all_loops, &loops), 0);
        pthread_barrier_destroy(&barrier);
    }
}

LOOPS_TEST(loops_that_look_before_they_sleep_take_them_too)
{
    unsigned loops = 2;
    cord_run_options options = { .loops = loops, .spin = 20 * CORD_MICROSECOND };
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, loops), 0);
    for (int round = 0; round < 10; round++)
        is(cord_run(fill_all_loops, &loops, &options), 0);
    pthread_barrier_destroy(&barrier);
}

static int note_thread(void *arg)
{
    *(_Atomic int *)arg = thread_id();
    return 0;
}

static int compute_until_taken(void *arg)
{
    _Atomic int thread = 0;
    (void)arg;
    for (int round = 0; round < 20; round++) {
        thread = 0;
        cord_task *task = begin(note_thread, (void *)&thread);
        while (thread == 0) /* never waits, never yields */
            ;
        ck_assert_int_ne(thread, thread_id());
        join(task, 0);
    }
    return 0;
}

LOOPS_TEST(unstarted_task_is_taken_while_its_starters_loop_computes)
{
    is(run_on(LOOPS, compute_until_taken, NULL), 0);
}

/* Holds the other loop's share; the task after it still does not wait for the loop that computes. */
static int sleep_for_ever(void *arg)
{
    (void)arg;
    return cord_sleep(CORD_HOUR);
}

static int compute_beside_sleepers(void *arg)
{
    cord_group *group;
    ok(cord_group_new(&group, &(cord_group_options){ .task = { .loop = CORD_LOOP_ANY } }));
    for (int i = 0; i < 50; i++)
        ok(cord_group_start(group, sleep_for_ever, NULL, 0));
    ok(cord_sleep(5 * CORD_MILLISECOND));
    is(compute_until_taken(arg), 0);
    cord_group_free(group);
    return 0;
}

LOOPS_TEST(idle_loop_with_more_tasks_takes_one_all_the_same)
{
    is(run_on(LOOPS, compute_beside_sleepers, NULL), 0);
}

static int start_here_and_any(void *arg)
{
    int one = 0, two = 0;
    (void)arg;
    cord_task *here, *any = begin(note_thread, &one);
    ok(cord_task_start(&here, note_thread, &two, 0, NULL));
    join(here, 0);
    join(any, 0);
    is(two, thread_id());
    return one == two;
}

PLAIN_TEST(any_with_one_loop_means_here)
{
    is(cord_run(start_here_and_any, NULL, NULL), 1);
    is(run_on(1, start_here_and_any, NULL), 1);
    (void)run_on(LOOPS, start_here_and_any, NULL);
}

PLAIN_TEST(any_from_a_plain_thread_runs_on_the_background_loop)
{
    int thread = 0;
    join(begin(note_thread, &thread), 0);
    ck_assert_int_ne(thread, 0);
    ck_assert_int_ne(thread, thread_id());
}

PLAIN_TEST(absurd_numbers_are_refused)
{
    cord_task *task = NULL;
    is(run_on(257, sleep_for_ever, NULL), -EINVAL);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "at most 256"));
    is(cord_task_start(&task, sleep_for_ever, NULL, 0, &(cord_task_options){ .loop = (cord_loop)7 }), -EINVAL);
}

/* --- that they stay --- */

static int wander(void *arg)
{
    cord_socket *ends = arg;
    int thread = thread_id();
    for (int i = 0; i < 50; i++) {
        char byte = 'w';
        ok(cord_yield());
        is(thread_id(), thread);
        ok(cord_sleep(10 * CORD_MICROSECOND));
        is(thread_id(), thread);
        is(cord_send_all(ends[1], &byte, 1, soon()), 1);
        is(cord_recv(ends[0], &byte, 1, soon()), 1);
        is(thread_id(), thread);
    }
    return 0;
}

static int wander_all(void *arg)
{
    cord_group *group;
    cord_socket pairs[40][2];
    (void)arg;
    ok(cord_group_new(&group, &(cord_group_options){ .task = { .loop = CORD_LOOP_ANY } }));
    for (int i = 0; i < 40; i++) {
        ok(cord_socket_pair(pairs[i], CORD_UNIX));
        ok(cord_group_start(group, wander, pairs[i], 0));
    }
    is(cord_group_join(group, soon()), 0);
    for (int i = 0; i < 40; i++) {
        cord_close(&pairs[i][0]);
        cord_close(&pairs[i][1]);
    }
    return 0;
}

LOOPS_TEST(started_task_never_changes_its_thread)
{
    is(run_on(LOOPS, wander_all, NULL), 0);
}

/* --- between loops --- */

static struct {
    cord_lock lock;
    cord_event go;
    cord_queue *queue;
    long sum; /* under the lock */
} meeting;

static int add_and_pass_on(void *arg)
{
    ok(cord_event_wait(&meeting.go, soon()));
    for (int i = 0; i < 100; i++) {
        ok(cord_lock_acquire(&meeting.lock, CORD_FOREVER));
        long before = meeting.sum;
        if (i % 10 == 0)
            (void)cord_yield(); /* while it holds it */
        meeting.sum = before + 1;
        cord_lock_release(&meeting.lock);
        ok(cord_queue_put(meeting.queue, &(int){ i }, soon()));
    }
    (void)arg;
    return 0;
}

static int take_all(void *arg)
{
    int item;
    long sum = 0;
    for (int i = 0; i < 20 * 100; i++) {
        ok(cord_queue_get(meeting.queue, &item, soon()));
        sum += item;
    }
    *(long *)arg = sum;
    return 0;
}

static int meet(void *arg)
{
    cord_task *tasks[20];
    long sum;
    (void)arg;
    ok(cord_queue_new(&meeting.queue, sizeof(int), 4, 0));
    for (int i = 0; i < 20; i++)
        tasks[i] = begin(add_and_pass_on, NULL);
    cord_task *taker = begin(take_all, &sum);
    ok(cord_sleep(CORD_MILLISECOND));
    cord_event_set(&meeting.go);
    for (int i = 0; i < 20; i++)
        join(tasks[i], 0);
    join(taker, 0);
    is(sum, 20 * 4950);
    is(meeting.sum, 20 * 100);
    cord_queue_free(meeting.queue);
    return 0;
}

LOOPS_TEST(lock_event_and_queue_serve_tasks_of_two_loops)
{
    is(run_on(LOOPS, meet, NULL), 0);
}

static int recv_until_closed(void *arg)
{
    char byte;
    return (int)cord_recv(*(cord_socket *)arg, &byte, 1, CORD_FOREVER);
}

static bool everybody_waits(void *arg)
{
    cord_task **tasks = arg;
    for (int i = 0; i < 8; i++)
        if ((atomic_load(&tasks[i]->wait) & ((1 << CORDI_WAIT_BITS) - 1)) != CORDI_WAITING)
            return false;
    return true;
}

static int close_under_them(void *arg)
{
    cord_socket pairs[8][2];
    cord_task *tasks[8];
    (void)arg;
    for (int i = 0; i < 8; i++) {
        ok(cord_socket_pair(pairs[i], CORD_UNIX));
        tasks[i] = begin(recv_until_closed, &pairs[i][0]);
    }
    eventually(everybody_waits, tasks);
    for (int i = 0; i < 8; i++) {
        cord_socket copy = pairs[i][0];
        cord_close(&copy);
        join(tasks[i], -EBADF);
        cord_close(&pairs[i][1]);
    }
    return 0;
}

LOOPS_TEST(close_ends_a_recv_on_another_loop)
{
    is(run_on(LOOPS, close_under_them, NULL), 0);
}

/* --- groups --- */

static int fail_at_barrier(void *arg)
{
    pthread_barrier_wait(&barrier); /* so one runs on each loop */
    return *(int *)arg ? -ENOSPC : cord_sleep(CORD_HOUR);
}

static int fail_in_group(void *arg)
{
    int zero = 0, one = 1;
    (void)arg;
    for (int round = 0; round < 50; round++) {
        cord_group *group;
        ok(cord_group_new(&group, &(cord_group_options){ .task = { .loop = CORD_LOOP_ANY } }));
        ok(cord_group_start(group, fail_at_barrier, &zero, sizeof zero));
        ok(cord_group_start(group, fail_at_barrier, &one, sizeof one));
        is(cord_group_join(group, soon()), -ENOSPC);
    }
    return 0;
}

LOOPS_TEST(failure_on_one_loop_cancels_the_group_on_the_other)
{
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, LOOPS), 0);
    is(run_on(LOOPS, fail_in_group, NULL), 0);
    pthread_barrier_destroy(&barrier);
}

/* --- the end of a run --- */

static _Atomic int ended;

/* A tree of tasks, each of which starts two more somewhere and ends before them. */
static int branch(void *arg)
{
    int depth = *(int *)arg - 1;
    for (int i = 0; depth > 0 && i < 2; i++) {
        cord_task *task;
        ok(cord_task_start(&task, branch, &depth, sizeof depth, i == 0 ? &anywhere : NULL));
        cord_task_free(task);
    }
    if (depth % 3 == 0)
        ok(cord_sleep(CORD_MILLISECOND));
    ended++;
    return 0;
}

LOOPS_TEST(run_waits_for_tasks_of_all_loops)
{
    for (int round = 0; round < 10; round++) {
        int depth = 10;
        ended = 0;
        is(run_on(3, branch, &depth), 0);
        is(ended, 1023);
    }
}

static int note_cancel(void *arg)
{
    int rc = cord_sleep(CORD_HOUR);
    atomic_fetch_add((_Atomic int *)arg, rc == -ECANCELED);
    return rc;
}

static int leave_daemons(void *arg)
{
    cord_task_options options = { .loop = CORD_LOOP_ANY, .daemon = true };
    for (int i = 0; i < MANY; i++) {
        cord_task *task;
        ok(cord_task_start(&task, note_cancel, arg, 0, &options));
        cord_task_free(task);
    }
    return 7;
}

LOOPS_TEST(daemons_of_all_loops_are_cancelled_at_the_end)
{
    _Atomic int cancelled = 0;
    is(run_on(LOOPS, leave_daemons, (void *)&cancelled), 7);
    is(cancelled, MANY);
}

static _Atomic int asleep_now;

static int sleep_in_turn(void *arg)
{
    (void)arg;
    if (++asleep_now == MANY)
        raise(SIGINT);
    return cord_sleep(CORD_HOUR);
}

static int leave_sleepers(void *arg)
{
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        cord_task *task;
        ok(cord_task_start(&task, sleep_in_turn, NULL, 0, &anywhere));
        cord_task_free(task);
    }
    return 0;
}

LOOPS_TEST(ctrl_c_at_the_end_reaches_tasks_of_all_loops)
{
    for (int round = 0; round < 5; round++) {
        cord_run_options options = { .signals = CORD_SIGNALS_DEFAULT, .loops = LOOPS };
        asleep_now = 0;
        is(cord_run(leave_sleepers, NULL, &options), 0);
        is(asleep_now, MANY);
    }
}

static int pass(void *arg)
{
    (void)arg;
    return 3;
}

LOOPS_TEST(loops_come_and_go_with_their_runs)
{
    for (int round = 0; round < 30; round++)
        is(run_on(4, pass, NULL), 3);
}

static int run_in_thread(void *arg)
{
    return run_on(LOOPS, sleep_for_ever, arg);
}

PLAIN_TEST(cancelled_thread_ends_its_run_of_several_loops)
{
    for (int round = 0; round < 50; round++) {
        cord_task *task;
        ok(cord_task_start(&task, run_in_thread, NULL, 0, &(cord_task_options){ .kind = CORD_THREAD }));
        cord_task_cancel(task);
        join(task, -ECANCELED);
    }
}

/* --- processes --- */

static int answer_pid(void *arg)
{
    cord_task *task;
    (void)arg;
    ok(cord_task_start(&task, pass, NULL, 0, &anywhere)); /* a loop of its own comes with it */
    join(task, 3);
    return 5;
}

static int fork_here(void *arg)
{
    cord_task *child;
    (void)arg;
    pthread_barrier_wait(&barrier); /* so one runs on each loop */
    for (int i = 0; i < 5; i++) {
        ok(cord_task_start(&child, answer_pid, NULL, 0, &(cord_task_options){ .kind = CORD_PROCESS }));
        join(child, 5);
    }
    return 0;
}

static int fork_on_both(void *arg)
{
    cord_task *one = begin(fork_here, arg), *two = begin(fork_here, arg);
    join(one, 0);
    join(two, 0);
    return 0;
}

LOOPS_TEST(processes_start_from_every_loop)
{
    skip_without_processes();
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, LOOPS), 0);
    is(run_on(LOOPS, fork_on_both, NULL), 0);
    pthread_barrier_destroy(&barrier);
}

static int fail_to_run(void *arg)
{
    (void)arg;
    return -EPROTO; /* it must not come that far */
}

/* Each loop needs two descriptors or three; the ones that could be opened are closed again, their threads ended. */
LOOPS_TEST(run_undoes_all_when_a_loop_cannot_be_opened)
{
    unsigned loops = 2;
    struct rlimit limit, tight;
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, loops), 0);
    is(run_on(loops, fill_all_loops, &loops), 0); /* what is opened once in a process is there */
    int before = open_fds();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = limit;
    tight.rlim_cur = (rlim_t)before + 16; /* some loops' worth */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    is(run_on(64, fail_to_run, NULL), -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(open_fds(), before);
    is(run_on(loops, fill_all_loops, &loops), 0);
    pthread_barrier_destroy(&barrier);
}

int main(void)
{
    return run_tests(
        "loops", LOOPS_OF(any_tasks_that_block_their_threads_get_a_loop_each),
        LOOPS_OF(loops_that_look_before_they_sleep_take_them_too),
        LOOPS_OF(unstarted_task_is_taken_while_its_starters_loop_computes),
        LOOPS_OF(idle_loop_with_more_tasks_takes_one_all_the_same), PLAIN(any_with_one_loop_means_here),
        PLAIN(any_from_a_plain_thread_runs_on_the_background_loop), PLAIN(absurd_numbers_are_refused),
        LOOPS_OF(started_task_never_changes_its_thread), LOOPS_OF(lock_event_and_queue_serve_tasks_of_two_loops),
        LOOPS_OF(close_ends_a_recv_on_another_loop), LOOPS_OF(failure_on_one_loop_cancels_the_group_on_the_other),
        LOOPS_OF(run_waits_for_tasks_of_all_loops), LOOPS_OF(daemons_of_all_loops_are_cancelled_at_the_end),
        LOOPS_OF(ctrl_c_at_the_end_reaches_tasks_of_all_loops), LOOPS_OF(loops_come_and_go_with_their_runs),
        PLAIN(cancelled_thread_ends_its_run_of_several_loops), LOOPS_OF(processes_start_from_every_loop),
        LOOPS_OF(run_undoes_all_when_a_loop_cannot_be_opened), END);
}
