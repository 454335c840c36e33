/* tests/rlock.c - the recursive lock, local and shared, in every kind. In brackets: the scenario's name in CPython's
 * lock_tests.py. */
#include "waiting.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

struct board {
    cord_rlock *rlock;
    int count; /* under the lock */
    int order[8];
    _Atomic int started;
    cord_deadline deadline;
};

struct job {
    struct board *board;
    int number;
};

static struct board *setup(void)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_rlock_new(&board->rlock, flags()));
    return board;
}

static void teardown(struct board *board)
{
    is(cord_rlock_held(board->rlock), false);
    if (!flags())
        ck_assert_uint_eq(board->rlock->lock.word, 0); /* no waiter left a trace */
    cord_rlock_free(board->rlock);
    cord_shared_free(board);
}

static cord_task *begin(cord_fn *fn, struct board *board, int number)
{
    return start(fn, &(struct job){ board, number }, sizeof(struct job));
}

/* [RLockTests.test_reacquire, test_recursion_count, test_locked] */
MODE_TEST(rlock_taken_again_is_released_as_often)
{
    struct board *board = setup();
    is(cord_rlock_depth(board->rlock), 0);
    for (int i = 1; i <= 3; i++) {
        is(cord_rlock_acquire(board->rlock, i == 1 ? CORD_NOWAIT : i == 2 ? CORD_FOREVER : cord_in(0)), 0);
        is(cord_rlock_depth(board->rlock), i);
        is(cord_rlock_held(board->rlock), true);
    }
    for (int i = 2; i >= 0; i--) {
        is(cord_rlock_held(board->rlock), true);
        is(cord_rlock_release(board->rlock), 0);
        is(cord_rlock_depth(board->rlock), i);
    }
    teardown(board);
}
ALSO_SHARED(rlock_taken_again_is_released_as_often)

/* [RLockTests.test_release_unacquired, test_release_save_unacquired] */
MODE_TEST(rlock_released_too_often_answers_eperm)
{
    struct board *board = setup();
    is(cord_rlock_release(board->rlock), -EPERM);
    ok(cord_rlock_acquire(board->rlock, CORD_FOREVER));
    ok(cord_rlock_acquire(board->rlock, CORD_FOREVER));
    is(cord_rlock_release(board->rlock), 0);
    is(cord_rlock_release(board->rlock), 0);
    is(cord_rlock_release(board->rlock), -EPERM);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "does not hold"));
    teardown(board);
}
ALSO_SHARED(rlock_released_too_often_answers_eperm)

static int try_held(void *arg)
{
    cord_rlock *rlock = ((struct job *)arg)->board->rlock;
    is(cord_rlock_held(rlock), true);
    is(cord_rlock_depth(rlock), 0);
    is(cord_rlock_release(rlock), -EPERM);
    is(cord_rlock_acquire(rlock, CORD_NOWAIT), -EAGAIN);
    is(cord_rlock_acquire(rlock, cord_in(0)), -ETIMEDOUT);
    is(cord_rlock_acquire(rlock, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
    is(cord_rlock_depth(rlock), 0);
    return 0;
}

/* [RLockTests.test_different_thread, test_try_acquire_contended, test_timeout, test_recursion_count,
 * test_locked_with_2threads] */
MODE_TEST(rlock_held_by_another_is_neither_taken_nor_released)
{
    struct board *board = setup();
    ok(cord_rlock_acquire(board->rlock, CORD_FOREVER));
    ok(cord_rlock_acquire(board->rlock, CORD_FOREVER));
    join(begin(try_held, board, 0), 0);
    is(cord_rlock_depth(board->rlock), 2);
    is(cord_rlock_release(board->rlock), 0);
    join(begin(try_held, board, 0), 0);
    is(cord_rlock_release(board->rlock), 0);
    teardown(board);
}
ALSO_SHARED(rlock_held_by_another_is_neither_taken_nor_released)

static int add(void *arg)
{
    struct job *job = arg;
    cord_rlock *rlock = job->board->rlock;
    for (int i = 0; i < job->number; i++) {
        int deep = i % 3 + 1, rc = 0;
        for (int j = 0; j < deep && rc == 0; j++)
            rc = cord_rlock_acquire(rlock, CORD_FOREVER);
        if (rc != 0)
            return rc;
        int count = job->board->count;
        if (i % 16 == 0)
            (void)cord_yield(); /* others run while it is held */
        for (int j = 0; j < deep && rc == 0; j++) {
            if (cord_rlock_depth(rlock) != (uint64_t)(deep - j))
                return -EDOM;
            if (j == deep - 1)
                job->board->count = count + 1;
            rc = cord_rlock_release(rlock);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* [BaseLockTests.test_acquire_contended] */
MODE_TEST(rlock_excludes_count_is_exact)
{
    struct board *board = setup();
    cord_task *tasks[6];
    for (int i = 0; i < 6; i++)
        tasks[i] = begin(add, board, 500);
    for (int i = 0; i < 6; i++)
        join(tasks[i], 0);
    is(board->count, 3000);
    teardown(board);
}
ALSO_SHARED(rlock_excludes_count_is_exact)

MODE_TEST(rlock_many_waiters_each_gets_it)
{
    struct board *board = setup();
    int many = crowd();
    static cord_task *tasks[CROWD];
    ok(cord_rlock_acquire(board->rlock, CORD_FOREVER));
    for (int i = 0; i < many; i++)
        tasks[i] = begin(add, board, 1);
    is(board->count, 0);
    is(cord_rlock_release(board->rlock), 0);
    for (int i = 0; i < many; i++)
        join(tasks[i], 0);
    is(board->count, many);
    teardown(board);
}
ALSO_SHARED(rlock_many_waiters_each_gets_it)

static int take_until(void *arg)
{
    struct job *job = arg;
    atomic_fetch_add(&job->board->started, 1);
    int rc = cord_rlock_acquire(job->board->rlock, job->board->deadline);
    if (rc < 0)
        return rc;
    job->board->order[job->board->count++ % 8] = job->number;
    return cord_rlock_release(job->board->rlock);
}

MODE_TEST(rlock_waiters_get_it_in_order_of_coming)
{
    if (mode.kind == CORD_PROCESS)
        skip("between processes the fastest wins");
    struct board *board = setup();
    cord_task *tasks[8];
    ok(cord_rlock_acquire(board->rlock, CORD_FOREVER));
    ok(cord_rlock_acquire(board->rlock, CORD_FOREVER));
    for (int i = 0; i < 8; i++)
        eventually(waits, tasks[i] = begin(take_until, board, i));
    is(cord_rlock_release(board->rlock), 0);
    is(board->count, 0); /* still held once */
    is(cord_rlock_release(board->rlock), 0);
    for (int i = 0; i < 8; i++)
        join(tasks[i], 0);
    for (int i = 0; i < 8; i++)
        is(board->order[i], i);
    teardown(board);
}

MODE_TEST(rlock_waiter_that_times_out_leaves_no_trace)
{
    struct board *board = setup();
    cord_task *tasks[3];
    board->deadline = cord_in(30 * CORD_MILLISECOND);
    ok(cord_rlock_acquire(board->rlock, CORD_FOREVER));
    for (int i = 0; i < 3; i++)
        tasks[i] = begin(take_until, board, i);
    for (int i = 0; i < 3; i++)
        join(tasks[i], -ETIMEDOUT);
    is(cord_rlock_depth(board->rlock), 1);
    is(cord_rlock_release(board->rlock), 0);
    is(board->count, 0);
    teardown(board);
}
ALSO_SHARED(rlock_waiter_that_times_out_leaves_no_trace)

MODE_TEST(rlock_acquire_cancelled_still_gets_it)
{
    struct board *board = setup();
    ok(cord_rlock_acquire(board->rlock, CORD_FOREVER));
    cord_task *task = begin(take_until, board, 0);
    while (atomic_load(&board->started) == 0)
        ok(cord_sleep(CORD_MILLISECOND));
    cord_task_cancel(task);
    is(cord_task_join(task, cord_in(20 * CORD_MILLISECOND), NULL), -ETIMEDOUT);
    is(cord_rlock_release(board->rlock), 0);
    join(task, 0);
    is(board->count, 1);
    teardown(board);
}
ALSO_SHARED(rlock_acquire_cancelled_still_gets_it)

static int die_with_it(void *arg)
{
    cord_rlock *rlock = ((struct job *)arg)->board->rlock;
    for (int i = 0; i < 3; i++)
        if (cord_rlock_acquire(rlock, CORD_FOREVER) < 0)
            return -EDOM;
    kill(getpid(), SIGKILL);
    return 0;
}

PLAIN_TEST(rlock_of_a_process_that_died_is_held_once)
{
    skip_without_processes();
    sharing = CORD_SHARED;
    struct board *board = setup();
    struct job job = { board, 0 };
    cord_task *task = start_kind(CORD_PROCESS, die_with_it, &job, sizeof job);
    cord_outcome out;
    is(cord_task_join(task, soon(), &out), 0);
    is(out.how, CORD_SIGNALED);
    cord_task_free(task);
    is(cord_rlock_depth(board->rlock), 0);
    is(cord_rlock_acquire(board->rlock, soon()), CORD_OWNER_DIED);
    is(cord_rlock_depth(board->rlock), 1);
    is(cord_rlock_acquire(board->rlock, soon()), 0);
    is(cord_rlock_release(board->rlock), 0);
    is(cord_rlock_release(board->rlock), 0);
    is(cord_rlock_release(board->rlock), -EPERM);
    teardown(board);
}

static void mix(int shared)
{
    sharing = shared;
    struct board *board = setup();
    struct job job = { board, 500 };
    cord_task *tasks[9];
    int count = 0;
    for (int i = 0; i < 3; i++)
        for (cord_kind kind = CORD_COROUTINE; kind <= (shared ? CORD_PROCESS : CORD_THREAD); kind++)
            tasks[count++] = start_kind(kind, add, &job, sizeof job);
    for (int i = 0; i < count; i++)
        join(tasks[i], 0);
    is(board->count, count * 500);
    teardown(board);
}

PLAIN_TEST(rlock_of_coroutines_and_threads_excludes)
{
    mix(0);
}

PLAIN_TEST(rlock_of_coroutines_threads_and_processes_excludes)
{
    mix(CORD_SHARED);
}

PLAIN_TEST(rlock_in_own_memory_zeroed_is_ready)
{
    cord_rlock rlock = CORD_RLOCK_INIT;
    is(cord_rlock_held(&rlock), false);
    is(cord_rlock_acquire(&rlock, CORD_FOREVER), 0);
    is(cord_rlock_acquire(&rlock, CORD_FOREVER), 0);
    is(cord_rlock_depth(&rlock), 2);
    is(cord_rlock_release(&rlock), 0);
    is(cord_rlock_release(&rlock), 0);
    cord_rlock_free(NULL);
}

int main(void)
{
    return run_tests(
        "rlock", BOTH(rlock_taken_again_is_released_as_often), BOTH(rlock_released_too_often_answers_eperm),
        BOTH(rlock_held_by_another_is_neither_taken_nor_released), BOTH(rlock_excludes_count_is_exact),
        BOTH(rlock_many_waiters_each_gets_it), MODE(rlock_waiters_get_it_in_order_of_coming),
        BOTH(rlock_waiter_that_times_out_leaves_no_trace), BOTH(rlock_acquire_cancelled_still_gets_it),
        PLAIN(rlock_of_a_process_that_died_is_held_once), PLAIN(rlock_of_coroutines_and_threads_excludes),
        PLAIN(rlock_of_coroutines_threads_and_processes_excludes), PLAIN(rlock_in_own_memory_zeroed_is_ready), END);
}
