/* tests/condition.c - the condition, local and shared, in every kind. In brackets: the scenario's name in CPython's
 * lock_tests.py.
 *
 * Who waits counts itself with the lock held and gives that up only by waiting: so whoever has the lock and reads the
 * count knows that so many wait. */
#include "waiting.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

struct board {
    cord_lock *lock;
    cord_rlock *rlock;
    cord_condition *condition;
    int waiting, woken, items, asked; /* under the lock */
    int order[8];
    cord_deadline deadline;
};

struct job {
    struct board *board;
    int number;
};

static struct board *setup(void)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_lock_new(&board->lock, flags()));
    ok(cord_rlock_new(&board->rlock, flags()));
    ok(cord_condition_new(&board->condition, flags()));
    return board;
}

static void teardown(struct board *board)
{
    is(cord_lock_held(board->lock), false);
    is(cord_rlock_held(board->rlock), false);
    if (!flags()) {
        ck_assert_uint_eq(board->lock->word, 0);
        ck_assert_uint_eq(board->condition->word, 0); /* no waiter left a trace */
    }
    cord_condition_free(board->condition);
    cord_rlock_free(board->rlock);
    cord_lock_free(board->lock);
    cord_shared_free(board);
}

static cord_task *begin(cord_fn *fn, struct board *board, int number)
{
    return start(fn, &(struct job){ board, number }, sizeof(struct job));
}

static void lock(struct board *board)
{
    is(cord_lock_acquire(board->lock, soon()), 0);
}

static void unlock(struct board *board)
{
    is(cord_lock_release(board->lock), 0);
}

/* Returns with the lock, when so many wait. */
static void lock_when_waiting(struct board *board, int count)
{
    int64_t end = soon().at;
    for (lock(board); board->waiting != count; lock(board)) {
        unlock(board);
        ck_assert_int_lt(cord_now(), end);
        ok(cord_sleep(CORD_MILLISECOND));
    }
}

/* Waits once; -EDOM: without the lock on return. */
static int wait_once(void *arg)
{
    struct job *job = arg;
    struct board *board = job->board;
    int rc = cord_lock_acquire(board->lock, CORD_FOREVER);
    if (rc < 0)
        return rc;
    board->waiting++;
    rc = cord_condition_wait(board->condition, board->lock, board->deadline);
    board->waiting--;
    if (rc >= 0)
        board->order[board->woken++ % 8] = job->number;
    int released = cord_lock_release(board->lock);
    return released < 0 ? -EDOM : rc;
}

static int never(void *arg)
{
    (void)arg;
    return 0;
}

static int always(void *arg)
{
    (void)arg;
    return 7;
}

/* [ConditionTests.test_unacquired_wait] */
MODE_TEST(condition_wait_without_the_lock_answers_eperm)
{
    struct board *board = setup();
    is(cord_condition_wait(board->condition, board->lock, CORD_FOREVER), -EPERM);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "does not hold"));
    is(cord_condition_wait(board->condition, board->lock, CORD_NOWAIT), -EPERM);
    is(cord_condition_wait_for(board->condition, board->lock, always, NULL, CORD_FOREVER), -EPERM);
    is(cord_condition_wait_rlock(board->condition, board->rlock, CORD_FOREVER), -EPERM);
    is(cord_rlock_depth(board->rlock), 0);
    teardown(board);
}
ALSO_SHARED(condition_wait_without_the_lock_answers_eperm)

/* [ConditionTests.test_unacquired_notify] */
MODE_TEST(condition_notify_without_the_lock_answers_eperm)
{
    struct board *board = setup();
    is(cord_condition_notify(board->condition, 1), 0); /* nobody waits */
    cord_task *task = begin(wait_once, board, 0);
    lock_when_waiting(board, 1);
    unlock(board);
    is(cord_condition_notify(board->condition, 1), -EPERM);
    is(cord_condition_notify_all(board->condition), -EPERM);
    lock(board);
    is(board->woken, 0);
    is(cord_condition_notify(board->condition, 1), 1);
    unlock(board);
    join(task, 0);
    teardown(board);
}
ALSO_SHARED(condition_notify_without_the_lock_answers_eperm)

/* [ConditionTests.test_notify]: with more and with fewer than wait. */
MODE_TEST(condition_notify_wakes_so_many)
{
    struct board *board = setup();
    cord_task *tasks[6];
    for (int i = 0; i < 6; i++)
        tasks[i] = begin(wait_once, board, i);
    lock_when_waiting(board, 6);
    is(cord_condition_notify(board->condition, 0), 0);
    is(cord_condition_notify(board->condition, 1), 1);
    unlock(board);
    lock_when_waiting(board, 5);
    is(board->woken, 1);
    is(cord_condition_notify(board->condition, 2), 2);
    unlock(board);
    lock_when_waiting(board, 3);
    is(board->woken, 3);
    is(cord_condition_notify(board->condition, 100), 3);
    is(cord_condition_notify_all(board->condition), 0);
    unlock(board);
    for (int i = 0; i < 6; i++)
        join(tasks[i], 0);
    is(board->woken, 6);
    teardown(board);
}
ALSO_SHARED(condition_notify_wakes_so_many)

/* [ConditionTests.test_notify, notify_all] */
MODE_TEST(condition_notify_all_wakes_a_crowd)
{
    struct board *board = setup();
    static cord_task *tasks[CROWD];
    int many = crowd();
    for (int i = 0; i < many; i++)
        tasks[i] = begin(wait_once, board, i);
    lock_when_waiting(board, many);
    is(cord_condition_notify_all(board->condition), many);
    is(board->woken, 0); /* none goes on before the lock is given up */
    unlock(board);
    for (int i = 0; i < many; i++)
        join(tasks[i], 0);
    is(board->woken, many);
    teardown(board);
}
ALSO_SHARED(condition_notify_all_wakes_a_crowd)

MODE_TEST(condition_waiters_wake_in_order_of_coming)
{
    if (mode.kind == CORD_PROCESS)
        skip("between processes the fastest wins");
    struct board *board = setup();
    cord_task *tasks[8];
    for (int i = 0; i < 8; i++) {
        tasks[i] = begin(wait_once, board, i);
        lock_when_waiting(board, i + 1);
        unlock(board);
    }
    for (int i = 0; i < 8; i++) {
        lock(board);
        is(cord_condition_notify(board->condition, 1), 1);
        unlock(board);
        join(tasks[i], 0);
        is(board->order[i], i);
    }
    teardown(board);
}

/* A notify is for those who wait: who comes later waits for the next. */
MODE_TEST(condition_notified_before_the_wait_is_not_woken)
{
    struct board *board = setup();
    lock(board);
    is(cord_condition_notify_all(board->condition), 0);
    is(cord_condition_wait(board->condition, board->lock, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
    unlock(board);
    teardown(board);
}
ALSO_SHARED(condition_notified_before_the_wait_is_not_woken)

/* [ConditionTests.test_timeout] */
MODE_TEST(condition_wait_times_out_with_the_lock)
{
    struct board *board = setup();
    cord_task *tasks[3];
    lock(board);
    is(cord_condition_wait(board->condition, board->lock, CORD_NOWAIT), -EAGAIN);
    is(cord_condition_wait(board->condition, board->lock, cord_in(0)), -ETIMEDOUT);
    int64_t before = cord_now();
    is(cord_condition_wait(board->condition, board->lock, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_ge(cord_now() - before, 30 * CORD_MILLISECOND);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "condition"));
    unlock(board); /* answers -EPERM without it */
    board->deadline = cord_in(30 * CORD_MILLISECOND);
    for (int i = 0; i < 3; i++)
        tasks[i] = begin(wait_once, board, i);
    for (int i = 0; i < 3; i++)
        join(tasks[i], -ETIMEDOUT);
    lock(board);
    is(cord_condition_notify_all(board->condition), 0);
    unlock(board);
    teardown(board);
}
ALSO_SHARED(condition_wait_times_out_with_the_lock)

/* To have the lock again takes as long as it takes: the deadline is of the wait for a notify. */
MODE_TEST(condition_wait_whose_time_is_up_waits_for_the_lock)
{
    struct board *board = setup();
    board->deadline = cord_in(30 * CORD_MILLISECOND);
    cord_task *task = begin(wait_once, board, 0);
    lock_when_waiting(board, 1);
    is(cord_task_join(task, cord_in(60 * CORD_MILLISECOND), NULL), -ETIMEDOUT);
    is(board->waiting, 1);
    unlock(board);
    join(task, -ETIMEDOUT);
    teardown(board);
}
ALSO_SHARED(condition_wait_whose_time_is_up_waits_for_the_lock)

MODE_TEST(condition_wait_cancelled_has_the_lock_and_leaves_the_others)
{
    struct board *board = setup();
    cord_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        tasks[i] = begin(wait_once, board, i);
        lock_when_waiting(board, i + 1);
        unlock(board);
    }
    lock(board);
    cord_task_cancel(tasks[0]);
    is(cord_task_join(tasks[0], cord_in(20 * CORD_MILLISECOND), NULL), -ETIMEDOUT); /* it waits for the lock */
    unlock(board);
    join(tasks[0], -ECANCELED);
    cord_task_cancel(tasks[1]);
    join(tasks[1], -ECANCELED);
    lock(board);
    is(board->waiting, 1);
    is(cord_condition_notify_all(board->condition), 1);
    unlock(board);
    join(tasks[2], 0);
    teardown(board);
}
ALSO_SHARED(condition_wait_cancelled_has_the_lock_and_leaves_the_others)

/* Woken, and cancelled before it has the lock again: what came to pass wins. */
MODE_TEST(condition_notified_and_then_cancelled_answers_0)
{
    struct board *board = setup();
    cord_task *task = begin(wait_once, board, 0);
    lock_when_waiting(board, 1);
    is(cord_condition_notify(board->condition, 1), 1);
    cord_task_cancel(task);
    unlock(board);
    join(task, 0);
    teardown(board);
}
ALSO_SHARED(condition_notified_and_then_cancelled_answers_0)

static int wait_cancelled(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    cord_task_cancel(cord_task_self());
    int rc = cord_lock_acquire(board->lock, CORD_FOREVER);
    if (rc == 0)
        rc = cord_condition_wait(board->condition, board->lock, CORD_FOREVER);
    return cord_lock_release(board->lock) < 0 ? -EDOM : rc;
}

MODE_TEST(condition_wait_of_one_cancelled_keeps_the_lock)
{
    struct board *board = setup();
    join(begin(wait_cancelled, board, 0), -ECANCELED);
    teardown(board);
}
ALSO_SHARED(condition_wait_of_one_cancelled_keeps_the_lock)

static int until_four(void *arg)
{
    struct board *board = arg;
    if (!cord_lock_held(board->lock))
        return -EDOM;
    board->asked++;
    return board->items < 0 ? -ENODATA : board->items == 4 ? 44 : 0;
}

static int wait_for_four(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    int rc = cord_lock_acquire(board->lock, CORD_FOREVER);
    if (rc < 0)
        return rc;
    board->waiting++;
    rc = cord_condition_wait_for(board->condition, board->lock, until_four, board, board->deadline);
    board->waiting--;
    return cord_lock_release(board->lock) < 0 ? -EDOM : rc;
}

/* [ConditionTests.test_waitfor] */
MODE_TEST(condition_wait_for_answers_the_predicate)
{
    struct board *board = setup();
    cord_task *task = begin(wait_for_four, board, 0);
    for (int i = 1; i <= 4; i++) {
        int64_t end = soon().at;
        for (lock_when_waiting(board, 1); board->asked < i; lock_when_waiting(board, 1)) {
            unlock(board);
            ck_assert_int_lt(cord_now(), end);
            ok(cord_sleep(CORD_MILLISECOND));
        }
        board->items = i;
        is(cord_condition_notify(board->condition, 1), 1);
        unlock(board);
    }
    join(task, 44);
    is(board->asked, 5);
    join(begin(wait_for_four, board, 0), 44); /* without a wait */
    board->items = -1;
    join(begin(wait_for_four, board, 0), -ENODATA);
    is(board->asked, 7);
    teardown(board);
}
ALSO_SHARED(condition_wait_for_answers_the_predicate)

static int set_quietly(void *arg)
{
    struct board *board = arg;
    return board->asked++ == 0 ? 0 : 9;
}

/* [ConditionTests.test_waitfor_timeout] */
MODE_TEST(condition_wait_for_asks_once_more_when_time_is_up)
{
    struct board *board = setup();
    lock(board);
    is(cord_condition_wait_for(board->condition, board->lock, never, NULL, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "condition"));
    is(cord_condition_wait_for(board->condition, board->lock, never, NULL, CORD_NOWAIT), -EAGAIN);
    is(cord_condition_wait_for(board->condition, board->lock, always, NULL, CORD_NOWAIT), 7);
    is(cord_condition_wait_for(board->condition, board->lock, set_quietly, board, cord_in(10 * CORD_MILLISECOND)), 9);
    is(board->asked, 2);
    unlock(board);
    teardown(board);
}
ALSO_SHARED(condition_wait_for_asks_once_more_when_time_is_up)

static int wait_deep(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    for (int i = 0; i < 3; i++)
        is(cord_rlock_acquire(board->rlock, CORD_FOREVER), 0);
    board->waiting++;
    int rc = cord_condition_wait_rlock(board->condition, board->rlock, board->deadline);
    is(cord_rlock_depth(board->rlock), 3);
    for (int i = 0; i < 3; i++)
        is(cord_rlock_release(board->rlock), 0);
    is(cord_rlock_depth(board->rlock), 0);
    return rc;
}

/* [RLockTests.test_release_save_unacquired, and what ConditionAsRLockTests adds]: given up wholly, and as deep after.
 */
MODE_TEST(condition_wait_rlock_gives_it_up_however_deep)
{
    struct board *board = setup();
    cord_task *task = begin(wait_deep, board, 0);
    int there = 0;
    for (int64_t end = soon().at; there == 0; ok(cord_sleep(CORD_MILLISECOND))) {
        ck_assert_int_lt(cord_now(), end);
        is(cord_rlock_acquire(board->rlock, soon()), 0);
        is(cord_rlock_acquire(board->rlock, soon()), 0);
        if ((there = board->waiting) > 0)
            is(cord_condition_notify(board->condition, 1), 1);
        is(cord_rlock_release(board->rlock), 0);
        is(cord_rlock_depth(board->rlock), 1);
        is(cord_rlock_release(board->rlock), 0);
    }
    join(task, 0);
    board->deadline = cord_in(20 * CORD_MILLISECOND);
    join(begin(wait_deep, board, 0), -ETIMEDOUT);
    board->deadline = CORD_NOWAIT;
    join(begin(wait_deep, board, 0), -EAGAIN);
    teardown(board);
}
ALSO_SHARED(condition_wait_rlock_gives_it_up_however_deep)

MODE_TEST(condition_with_another_lock_answers_einval)
{
    struct board *board = setup();
    cord_lock *other = NULL;
    ok(cord_lock_new(&other, flags()));
    cord_task *task = begin(wait_once, board, 0);
    lock_when_waiting(board, 1);
    ok(cord_lock_acquire(other, CORD_FOREVER));
    is(cord_condition_wait(board->condition, other, soon()), -EINVAL);
    is(cord_lock_held(other), true);
    is(cord_condition_notify(board->condition, 1), 1);
    unlock(board);
    join(task, 0);
    is(cord_condition_wait(board->condition, other, cord_in(CORD_MILLISECOND)), -ETIMEDOUT); /* nobody waits now */
    is(cord_lock_release(other), 0);
    cord_lock_free(other);
    teardown(board);
}
ALSO_SHARED(condition_with_another_lock_answers_einval)

PLAIN_TEST(condition_with_a_lock_of_the_other_sort_answers_einval)
{
    cord_condition condition = CORD_CONDITION_INIT;
    cord_lock *shared = NULL;
    ok(cord_lock_new(&shared, CORD_SHARED));
    ok(cord_lock_acquire(shared, CORD_FOREVER));
    is(cord_condition_wait(&condition, shared, CORD_FOREVER), -EINVAL);
    is(cord_lock_release(shared), 0);
    cord_lock_free(shared);
}

static int die_notifying(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    if (cord_lock_acquire(board->lock, CORD_FOREVER) == 0 && cord_condition_notify(board->condition, 1) == 1)
        kill(getpid(), SIGKILL);
    return -EDOM;
}

PLAIN_TEST(condition_lock_of_a_process_that_died_answers_owner_died)
{
    skip_without_processes();
    sharing = CORD_SHARED;
    struct board *board = setup();
    struct job job = { board, 0 };
    cord_outcome out;
    cord_task *waiter = start_kind(CORD_THREAD, wait_once, &job, sizeof job);
    lock_when_waiting(board, 1);
    unlock(board);
    cord_task *killed = start_kind(CORD_PROCESS, die_notifying, &job, sizeof job);
    is(cord_task_join(killed, soon(), &out), 0);
    is(out.how, CORD_SIGNALED);
    cord_task_free(killed);
    join(waiter, CORD_OWNER_DIED);
    is(board->woken, 1);
    teardown(board);
}

/* Coroutines of several loops and threads wait at once. */
static int mixed_loops(void *arg)
{
    enum { TASKS = 12 };
    struct board *board = *(struct board **)arg;
    struct job job = { board, 0 };
    cord_task *tasks[TASKS];
    for (; job.number < TASKS; job.number++) {
        cord_task_options how = { .kind = job.number % 3 == 0 ? CORD_THREAD : CORD_COROUTINE,
                                  .loop = job.number % 3 == 1 ? CORD_LOOP_ANY : CORD_LOOP_HERE };
        ok(cord_task_start(&tasks[job.number], wait_once, &job, sizeof job, &how));
        lock_when_waiting(board, job.number + 1);
        unlock(board);
    }
    for (int i = 0; i < 6; i++) {
        lock(board);
        is(cord_condition_notify(board->condition, 1), 1);
        unlock(board);
        join(tasks[i], 0);
        is(board->order[i], i);
    }
    lock(board);
    is(cord_condition_notify_all(board->condition), 6);
    unlock(board);
    for (int i = 6; i < TASKS; i++)
        join(tasks[i], 0);
    return 0;
}

static void on_loops(const char *backend)
{
    use_backend(backend);
    struct board *board = setup();
    is(cord_run(mixed_loops, &board, &(cord_run_options){ .loops = 3 }), 0);
    is(board->woken, 12);
    teardown(board);
}

PLAIN_TEST(condition_of_epoll_loops_and_threads_wakes_in_order)
{
    on_loops("epoll");
}

PLAIN_TEST(condition_of_uring_loops_and_threads_wakes_in_order)
{
    on_loops("uring");
}

PLAIN_TEST(condition_of_coroutines_threads_and_processes_wakes_all)
{
    sharing = CORD_SHARED;
    struct board *board = setup();
    struct job job = { board, 0 };
    cord_task *tasks[9];
    for (int i = 0; i < 9; i++)
        tasks[i] = start_kind((cord_kind)(CORD_COROUTINE + i % 3), wait_once, &job, sizeof job);
    lock_when_waiting(board, 9);
    is(cord_condition_notify_all(board->condition), 9);
    unlock(board);
    for (int i = 0; i < 9; i++)
        join(tasks[i], 0);
    is(board->woken, 9);
    teardown(board);
}

PLAIN_TEST(condition_in_own_memory_zeroed_is_ready)
{
    cord_lock own = CORD_LOCK_INIT;
    cord_condition condition = CORD_CONDITION_INIT;
    is(cord_lock_acquire(&own, CORD_FOREVER), 0);
    is(cord_condition_notify_all(&condition), 0);
    is(cord_condition_wait(&condition, &own, cord_in(CORD_MILLISECOND)), -ETIMEDOUT);
    is(cord_lock_release(&own), 0);
    ck_assert_uint_eq(sizeof condition, 16);
    cord_condition_free(NULL);
}

int main(void)
{
    return run_tests(
        "condition", BOTH(condition_wait_without_the_lock_answers_eperm),
        BOTH(condition_notify_without_the_lock_answers_eperm), BOTH(condition_notify_wakes_so_many),
        BOTH(condition_notify_all_wakes_a_crowd), MODE(condition_waiters_wake_in_order_of_coming),
        BOTH(condition_notified_before_the_wait_is_not_woken), BOTH(condition_wait_times_out_with_the_lock),
        BOTH(condition_wait_whose_time_is_up_waits_for_the_lock),
        BOTH(condition_wait_cancelled_has_the_lock_and_leaves_the_others),
        BOTH(condition_notified_and_then_cancelled_answers_0), BOTH(condition_wait_of_one_cancelled_keeps_the_lock),
        BOTH(condition_wait_for_answers_the_predicate), BOTH(condition_wait_for_asks_once_more_when_time_is_up),
        BOTH(condition_wait_rlock_gives_it_up_however_deep), BOTH(condition_with_another_lock_answers_einval),
        PLAIN(condition_with_a_lock_of_the_other_sort_answers_einval),
        PLAIN(condition_lock_of_a_process_that_died_answers_owner_died),
        PLAIN(condition_of_epoll_loops_and_threads_wakes_in_order),
        PLAIN(condition_of_uring_loops_and_threads_wakes_in_order),
        PLAIN(condition_of_coroutines_threads_and_processes_wakes_all), PLAIN(condition_in_own_memory_zeroed_is_ready),
        END);
}
