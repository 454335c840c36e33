/* tests/barrier.c - the barrier, local and shared, in every kind. In brackets: the scenario's name in CPython's
 * lock_tests.py. */
#include "waiting.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { PARTIES = 5, ROUNDS = 40 };

struct board {
    cord_barrier *barrier, *other;
    _Atomic int come[ROUNDS], indices, passed, actions, stop;
    cord_deadline deadline;
};

struct job {
    struct board *board;
    int number;
};

static struct board *setup_of(uint32_t parties)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_barrier_new(&board->barrier, parties, flags()));
    ok(cord_barrier_new(&board->other, parties, flags()));
    return board;
}

static void teardown(struct board *board)
{
    is(cord_barrier_waiting(board->barrier), 0);
    cord_barrier_free(board->barrier);
    cord_barrier_free(board->other);
    cord_shared_free(board);
}

static cord_task *begin(cord_fn *fn, struct board *board, int number)
{
    return start(fn, &(struct job){ board, number }, sizeof(struct job));
}

static int wait_once(void *arg)
{
    struct job *job = arg;
    return cord_barrier_wait(job->board->barrier, job->board->deadline);
}

/* Returns when so many wait. */
static void await(struct board *board, uint32_t count)
{
    int64_t end = soon().at;
    while (cord_barrier_waiting(board->barrier) != count) {
        ck_assert_int_lt(cord_now(), end);
        ok(cord_sleep(CORD_MILLISECOND));
    }
}

/* Waiters that come in order. */
static void begin_waiters(struct board *board, cord_task **tasks, int count)
{
    for (int i = 0; i < count; i++) {
        tasks[i] = begin(wait_once, board, i);
        await(board, (uint32_t)i + 1);
    }
}

/* [BarrierTests.test_constructor] */
MODE_TEST(barrier_new_without_parties_answers_einval)
{
    cord_barrier *barrier = NULL;
    is(cord_barrier_new(&barrier, 0, flags()), -EINVAL);
    is(cord_barrier_new(&barrier, 1u << 31, flags()), -EINVAL);
    ck_assert_ptr_null(barrier);
    ok(cord_barrier_new(&barrier, 3, flags()));
    is(cord_barrier_parties(barrier), 3);
    is(cord_barrier_waiting(barrier), 0);
    is(cord_barrier_broken(barrier), false);
    cord_barrier_free(barrier);
    cord_barrier_free(NULL);
}
ALSO_SHARED(barrier_new_without_parties_answers_einval)

/* [BarrierTests.test_single_thread] */
MODE_TEST(barrier_of_one_lets_pass)
{
    struct board *board = setup_of(1);
    is(cord_barrier_wait(board->barrier, CORD_FOREVER), 0);
    is(cord_barrier_wait(board->barrier, CORD_NOWAIT), 0);
    is(cord_barrier_wait(board->barrier, cord_in(0)), 0);
    teardown(board);
}
ALSO_SHARED(barrier_of_one_lets_pass)

/* Counts itself before each round; after it all must have come. */
static int go_round(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&board->come[i], 1);
        int rc = cord_barrier_wait(board->barrier, CORD_FOREVER);
        if (rc < 0)
            return rc;
        if (atomic_load(&board->come[i]) != PARTIES)
            return -EDOM;
        atomic_fetch_add(&board->indices, rc);
    }
    return 0;
}

/* [BarrierTests.test_barrier, test_barrier_10, test_wait_return] */
MODE_TEST(barrier_round_after_round_waits_for_all)
{
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[PARTIES];
    for (int i = 0; i < PARTIES; i++)
        tasks[i] = begin(go_round, board, i);
    for (int i = 0; i < PARTIES; i++)
        join(tasks[i], 0);
    is(board->indices, ROUNDS * (PARTIES * (PARTIES - 1) / 2));
    is(cord_barrier_broken(board->barrier), false);
    teardown(board);
}
ALSO_SHARED(barrier_round_after_round_waits_for_all)

MODE_TEST(barrier_index_is_the_order_of_coming)
{
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[PARTIES];
    for (int round = 0; round < 2; round++) {
        begin_waiters(board, tasks, PARTIES - 1);
        is(cord_task_status(tasks[0], NULL), CORD_RUNNING);
        is(cord_barrier_wait(board->barrier, CORD_NOWAIT), PARTIES - 1); /* the last one need not wait */
        for (int i = 0; i < PARTIES - 1; i++)
            join(tasks[i], i);
    }
    teardown(board);
}
ALSO_SHARED(barrier_index_is_the_order_of_coming)

MODE_TEST(barrier_of_a_crowd_lets_all_go_on)
{
    int many = crowd();
    struct board *board = setup_of((uint32_t)many);
    static cord_task *tasks[CROWD];
    for (int i = 0; i < many; i++)
        tasks[i] = begin(wait_once, board, i);
    int sum = 0;
    for (int i = 0; i < many; i++) {
        cord_outcome out;
        is(cord_task_join(tasks[i], soon(), &out), 0);
        is(out.how, CORD_RETURNED);
        sum += out.value;
        cord_task_free(tasks[i]);
    }
    is(sum, many * (many - 1) / 2);
    teardown(board);
}
ALSO_SHARED(barrier_of_a_crowd_lets_all_go_on)

static int count_action(void *arg)
{
    struct board *board = arg;
    if (cord_barrier_waiting(board->barrier) != PARTIES || atomic_load(&board->passed) != 0)
        return -EDOM;
    return atomic_fetch_add(&board->actions, 1);
}

static int wait_and_pass(void *arg)
{
    int rc = wait_once(arg);
    if (rc >= 0)
        atomic_fetch_add(&((struct job *)arg)->board->passed, 1);
    return rc;
}

/* [BarrierTests.test_action] */
MODE_TEST(barrier_action_runs_once_before_all_go_on)
{
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[PARTIES];
    cord_barrier_action(board->barrier, count_action, board);
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < PARTIES - 1; i++) {
            tasks[i] = begin(wait_and_pass, board, i);
            await(board, (uint32_t)i + 1);
        }
        is(board->actions, round - 1);
        is(cord_barrier_wait(board->barrier, soon()), PARTIES - 1);
        for (int i = 0; i < PARTIES - 1; i++)
            join(tasks[i], i);
        is(board->actions, round);
        atomic_store(&board->passed, 0);
    }
    teardown(board);
}
ALSO_SHARED(barrier_action_runs_once_before_all_go_on)

static int fail_action(void *arg)
{
    (void)arg;
    return -ENODATA;
}

MODE_TEST(barrier_action_that_fails_breaks_it)
{
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[PARTIES];
    cord_barrier_action(board->barrier, fail_action, NULL);
    begin_waiters(board, tasks, PARTIES - 1);
    is(cord_barrier_wait(board->barrier, soon()), -ENODATA);
    for (int i = 0; i < PARTIES - 1; i++)
        join(tasks[i], CORD_EBROKEN);
    is(cord_barrier_broken(board->barrier), true);
    teardown(board);
}
ALSO_SHARED(barrier_action_that_fails_breaks_it)

static int abort_action(void *arg)
{
    struct board *board = arg;
    is(cord_barrier_wait(board->barrier, CORD_FOREVER), -EDEADLK);
    cord_barrier_abort(board->barrier);
    return 0;
}

MODE_TEST(barrier_action_may_break_it)
{
    struct board *board = setup_of(2);
    cord_barrier_action(board->barrier, abort_action, board);
    cord_task *task = begin(wait_once, board, 0);
    await(board, 1);
    is(cord_barrier_wait(board->barrier, soon()), CORD_EBROKEN);
    join(task, CORD_EBROKEN);
    teardown(board);
    board = setup_of(1);
    cord_barrier_action(board->barrier, abort_action, board);
    is(cord_barrier_wait(board->barrier, soon()), CORD_EBROKEN);
    teardown(board);
}
ALSO_SHARED(barrier_action_may_break_it)

/* [BarrierTests.test_abort] */
MODE_TEST(barrier_aborted_is_broken_for_all)
{
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[PARTIES];
    begin_waiters(board, tasks, PARTIES - 1);
    cord_barrier_abort(board->barrier);
    for (int i = 0; i < PARTIES - 1; i++)
        join(tasks[i], CORD_EBROKEN);
    is(cord_barrier_broken(board->barrier), true);
    is(cord_barrier_wait(board->barrier, CORD_FOREVER), CORD_EBROKEN);
    is(cord_barrier_wait(board->barrier, CORD_NOWAIT), CORD_EBROKEN);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "barrier"));
    cord_barrier_abort(board->barrier); /* again does no harm */
    teardown(board);
}
ALSO_SHARED(barrier_aborted_is_broken_for_all)

/* [BarrierTests.test_reset] */
MODE_TEST(barrier_reset_breaks_the_round_and_is_whole)
{
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[PARTIES];
    cord_barrier_reset(board->barrier); /* of an empty one */
    begin_waiters(board, tasks, PARTIES - 1);
    cord_barrier_reset(board->barrier);
    is(cord_barrier_broken(board->barrier), false);
    is(cord_barrier_waiting(board->barrier), 0);
    for (int i = 0; i < PARTIES - 1; i++)
        join(tasks[i], CORD_EBROKEN);
    begin_waiters(board, tasks, PARTIES - 1);
    is(cord_barrier_wait(board->barrier, soon()), PARTIES - 1);
    for (int i = 0; i < PARTIES - 1; i++)
        join(tasks[i], i);
    teardown(board);
}
ALSO_SHARED(barrier_reset_breaks_the_round_and_is_whole)

/* [BarrierTests.test_abort_and_reset] */
MODE_TEST(barrier_aborted_and_reset_is_whole)
{
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[PARTIES];
    begin_waiters(board, tasks, 2);
    cord_barrier_abort(board->barrier);
    for (int i = 0; i < 2; i++)
        join(tasks[i], CORD_EBROKEN);
    cord_barrier_reset(board->barrier);
    is(cord_barrier_broken(board->barrier), false);
    for (int i = 0; i < PARTIES; i++)
        tasks[i] = begin(go_round, board, i);
    for (int i = 0; i < PARTIES; i++)
        join(tasks[i], 0);
    teardown(board);
}
ALSO_SHARED(barrier_aborted_and_reset_is_whole)

/* The last one breaks it right after: those who have come and not yet woken went through all the same. */
MODE_TEST(barrier_aborted_after_a_round_has_let_it_pass)
{
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[PARTIES];
    for (int round = 0; round < 20; round++) {
        begin_waiters(board, tasks, PARTIES - 1);
        is(cord_barrier_wait(board->barrier, CORD_NOWAIT), PARTIES - 1);
        cord_barrier_abort(board->barrier);
        is(cord_barrier_wait(board->barrier, CORD_NOWAIT), CORD_EBROKEN);
        cord_barrier_reset(board->barrier);
        for (int i = 0; i < PARTIES - 1; i++)
            join(tasks[i], i);
    }
    teardown(board);
}
ALSO_SHARED(barrier_aborted_after_a_round_has_let_it_pass)

static int wait_forever(void *arg)
{
    return cord_barrier_wait(((struct job *)arg)->board->barrier, CORD_FOREVER);
}

MODE_TEST(barrier_wait_is_reported_by_its_name)
{
    if (mode.kind == CORD_PROCESS)
        skip("a process's waits are its own");
    struct board *board = setup_of(2);
    cord_task *task = begin(wait_forever, board, 0);
    await(board, 1);
    eventually(waits, task); /* it counts itself before */
    ck_assert_str_eq(task->waits_for, "a barrier");
    cord_barrier_abort(board->barrier);
    join(task, CORD_EBROKEN);
    teardown(board);
}

/* [BarrierTests.test_timeout] */
MODE_TEST(barrier_wait_that_times_out_breaks_it)
{
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = begin(wait_forever, board, i);
    await(board, 3);
    int64_t before = cord_now();
    is(cord_barrier_wait(board->barrier, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_ge(cord_now() - before, 30 * CORD_MILLISECOND);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "barrier"));
    for (int i = 0; i < 3; i++)
        join(tasks[i], CORD_EBROKEN);
    is(cord_barrier_broken(board->barrier), true);
    is(cord_barrier_wait(board->other, cord_in(0)), -ETIMEDOUT); /* its time was up when it came */
    is(cord_barrier_broken(board->other), true);
    teardown(board);
}
ALSO_SHARED(barrier_wait_that_times_out_breaks_it)

MODE_TEST(barrier_wait_that_may_not_wait_leaves_it_whole)
{
    struct board *board = setup_of(2);
    is(cord_barrier_wait(board->barrier, CORD_NOWAIT), -EAGAIN);
    is(cord_barrier_waiting(board->barrier), 0);
    is(cord_barrier_broken(board->barrier), false);
    cord_task *task = begin(wait_forever, board, 0);
    cord_outcome out;
    ok(cord_barrier_wait(board->barrier, soon()));
    is(cord_task_join(task, soon(), &out), 0);
    is(out.how, CORD_RETURNED);
    cord_task_free(task);
    teardown(board);
}
ALSO_SHARED(barrier_wait_that_may_not_wait_leaves_it_whole)

MODE_TEST(barrier_wait_cancelled_breaks_it)
{
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[3];
    begin_waiters(board, tasks, 3);
    cord_task_cancel(tasks[1]);
    join(tasks[1], -ECANCELED);
    join(tasks[0], CORD_EBROKEN);
    join(tasks[2], CORD_EBROKEN);
    is(cord_barrier_broken(board->barrier), true);
    teardown(board);
}
ALSO_SHARED(barrier_wait_cancelled_breaks_it)

static int wait_cancelled(void *arg)
{
    cord_task_cancel(cord_task_self());
    return wait_forever(arg);
}

/* Also the last one, which would not have waited. */
MODE_TEST(barrier_wait_of_one_cancelled_breaks_it)
{
    struct board *board = setup_of(2);
    cord_task *task = begin(wait_forever, board, 0);
    await(board, 1);
    join(begin(wait_cancelled, board, 0), -ECANCELED);
    join(task, CORD_EBROKEN);
    teardown(board);
}
ALSO_SHARED(barrier_wait_of_one_cancelled_breaks_it)

static int abort_cancelled(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    cord_task_cancel(cord_task_self());
    if (((struct job *)arg)->number == 0)
        cord_barrier_abort(board->barrier);
    else
        cord_barrier_reset(board->barrier);
    return 0;
}

MODE_TEST(barrier_abort_and_reset_are_for_cancelled_tasks_too)
{
    struct board *board = setup_of(2);
    for (int i = 0; i < 2; i++) {
        cord_task *task = begin(wait_forever, board, 0);
        await(board, 1);
        join(begin(abort_cancelled, board, i), 0);
        join(task, CORD_EBROKEN);
        is(cord_barrier_broken(board->barrier), i == 0);
        cord_barrier_reset(board->barrier);
    }
    teardown(board);
}
ALSO_SHARED(barrier_abort_and_reset_are_for_cancelled_tasks_too)

/* Waits with deadlines of which some pass; whoever has broken it mends it. */
static int storm(void *arg)
{
    struct job *job = arg;
    struct board *board = job->board;
    uint32_t seed = (uint32_t)job->number * 2654435761u;
    int rc = 0;
    while (rc != -ECANCELED && atomic_load(&board->stop) == 0) {
        seed = seed * 1664525u + 1013904223u;
        rc = cord_barrier_wait(board->barrier, cord_in(((seed >> 16) % 8 + 1) * CORD_MILLISECOND));
        if (rc >= 0)
            atomic_fetch_add(&board->passed, 1);
        else if (rc == -ETIMEDOUT || rc == -ECANCELED)
            cord_barrier_reset(board->barrier);
        else if (rc == CORD_EBROKEN)
            (void)cord_sleep(200 * CORD_MICROSECOND);
        else
            return rc;
        if (rc >= PARTIES)
            return -EDOM;
    }
    return rc == -ECANCELED ? rc : 0;
}

/* Of each round all went through or none: what goes through is a multiple of the parties. */
MODE_TEST(barrier_storm_of_cancels_and_deadlines_lets_all_or_none_pass)
{
    enum { TASKS = 2 * PARTIES };
    struct board *board = setup_of(PARTIES);
    cord_task *tasks[TASKS];
    cord_deadline end = cord_in(400 * CORD_MILLISECOND);
    struct job job = { board, 0 };
    for (; job.number < TASKS; job.number++)
        tasks[job.number] = start_kind(any_kind(job.number), storm, &job, sizeof job);
    for (; cord_left(end) > 0; job.number++) {
        cord_task **task = &tasks[job.number % TASKS];
        ok(cord_sleep(3 * CORD_MILLISECOND));
        cord_task_cancel(*task);
        join(*task, -ECANCELED);
        *task = start_kind(any_kind(job.number), storm, &job, sizeof job);
    }
    atomic_store(&board->stop, 1);
    for (int i = 0; i < TASKS; i++)
        join(tasks[i], 0);
    ck_assert_int_gt(board->passed, 0);
    is(board->passed % PARTIES, 0);
    teardown(board);
}
ALSO_SHARED(barrier_storm_of_cancels_and_deadlines_lets_all_or_none_pass)

static int die_in_action(void *arg)
{
    (void)arg;
    kill(getpid(), SIGKILL);
    return 0;
}

PLAIN_TEST(barrier_of_a_process_killed_in_the_action_is_broken)
{
    skip_without_processes();
    sharing = CORD_SHARED;
    struct board *board = setup_of(2);
    struct job job = { board, 0 };
    cord_outcome out;
    cord_barrier_action(board->barrier, die_in_action, NULL);
    cord_task *waiter = start_kind(CORD_THREAD, wait_forever, &job, sizeof job);
    await(board, 1);
    cord_task *killed = start_kind(CORD_PROCESS, wait_forever, &job, sizeof job);
    is(cord_task_join(killed, soon(), &out), 0);
    is(out.how, CORD_SIGNALED);
    cord_task_free(killed);
    is(cord_barrier_wait(board->barrier, soon()), CORD_EBROKEN);
    join(waiter, CORD_EBROKEN);
    is(cord_barrier_broken(board->barrier), true);
    teardown(board);
}

PLAIN_TEST(barrier_counts_a_process_that_was_killed_there)
{
    skip_without_processes();
    sharing = CORD_SHARED;
    struct board *board = setup_of(2);
    struct job job = { board, 0 };
    cord_task *killed = start_kind(CORD_PROCESS, wait_forever, &job, sizeof job);
    await(board, 1);
    cord_task_terminate(killed, 0);
    is(cord_task_join(killed, soon(), NULL), 0);
    cord_task_free(killed);
    is(cord_barrier_wait(board->barrier, soon()), 1);
    cord_task *next = start_kind(CORD_THREAD, wait_forever, &job, sizeof job); /* the next round begins without it */
    await(board, 1);
    is(cord_barrier_wait(board->barrier, soon()), 1);
    join(next, 0);
    teardown(board);
}

/* Coroutines of several loops and threads wait for each other. */
static int mixed_loops(void *arg)
{
    struct board *board = *(struct board **)arg;
    struct job job = { board, 0 };
    cord_task *tasks[PARTIES];
    for (; job.number < PARTIES; job.number++) {
        cord_task_options how = { .kind = job.number % 3 == 0 ? CORD_THREAD : CORD_COROUTINE,
                                  .loop = job.number % 3 == 1 ? CORD_LOOP_ANY : CORD_LOOP_HERE };
        ok(cord_task_start(&tasks[job.number], go_round, &job, sizeof job, &how));
    }
    for (int i = 0; i < PARTIES; i++)
        join(tasks[i], 0);
    return 0;
}

static void on_loops(const char *backend)
{
    use_backend(backend);
    struct board *board = setup_of(PARTIES);
    is(cord_run(mixed_loops, &board, &(cord_run_options){ .loops = 3 }), 0);
    is(board->indices, ROUNDS * (PARTIES * (PARTIES - 1) / 2));
    teardown(board);
}

PLAIN_TEST(barrier_of_epoll_loops_and_threads_waits_for_all)
{
    on_loops("epoll");
}

PLAIN_TEST(barrier_of_uring_loops_and_threads_waits_for_all)
{
    on_loops("uring");
}

PLAIN_TEST(barrier_of_coroutines_threads_and_processes_waits_for_all)
{
    sharing = CORD_SHARED;
    struct board *board = setup_of(PARTIES);
    struct job job = { board, 0 };
    cord_task *tasks[PARTIES];
    for (int i = 0; i < PARTIES; i++)
        tasks[i] = start_kind((cord_kind)(CORD_COROUTINE + i % 3), go_round, &job, sizeof job);
    for (int i = 0; i < PARTIES; i++)
        join(tasks[i], 0);
    teardown(board);
}

int main(void)
{
    return run_tests(
        "barrier", BOTH(barrier_new_without_parties_answers_einval), BOTH(barrier_of_one_lets_pass),
        BOTH(barrier_round_after_round_waits_for_all), BOTH(barrier_index_is_the_order_of_coming),
        BOTH(barrier_of_a_crowd_lets_all_go_on), BOTH(barrier_action_runs_once_before_all_go_on),
        BOTH(barrier_action_that_fails_breaks_it), BOTH(barrier_action_may_break_it),
        BOTH(barrier_aborted_is_broken_for_all), BOTH(barrier_reset_breaks_the_round_and_is_whole),
        BOTH(barrier_aborted_and_reset_is_whole), BOTH(barrier_aborted_after_a_round_has_let_it_pass),
        MODE(barrier_wait_is_reported_by_its_name), BOTH(barrier_wait_that_times_out_breaks_it),
        BOTH(barrier_wait_that_may_not_wait_leaves_it_whole), BOTH(barrier_wait_cancelled_breaks_it),
        BOTH(barrier_wait_of_one_cancelled_breaks_it), BOTH(barrier_abort_and_reset_are_for_cancelled_tasks_too),
        BOTH(barrier_storm_of_cancels_and_deadlines_lets_all_or_none_pass),
        PLAIN(barrier_of_a_process_killed_in_the_action_is_broken),
        PLAIN(barrier_counts_a_process_that_was_killed_there), PLAIN(barrier_of_epoll_loops_and_threads_waits_for_all),
        PLAIN(barrier_of_uring_loops_and_threads_waits_for_all),
        PLAIN(barrier_of_coroutines_threads_and_processes_waits_for_all), END);
}
