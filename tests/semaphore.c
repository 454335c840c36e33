/* tests/semaphore.c - the semaphore, local and shared, in every kind. In brackets: the scenario's name in CPython's
 * lock_tests.py. */
#include "waiting.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

struct board {
    cord_sem *sem;
    _Atomic int had, inside, most, started, stop;
    _Atomic int order[8]; /* who got a permit */
    cord_deadline deadline;
};

struct job {
    struct board *board;
    int number;
};

static struct board *setup_with(uint32_t value, uint32_t limit)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_sem_new(&board->sem, value, limit, flags()));
    return board;
}

static void teardown(struct board *board)
{
    if (!flags())
        ck_assert_uint_eq(board->sem->word, 0); /* no waiter left a trace */
    cord_sem_free(board->sem);
    cord_shared_free(board);
}

static cord_task *begin(cord_fn *fn, struct board *board, int number)
{
    return start(fn, &(struct job){ board, number }, sizeof(struct job));
}

static int take(void *arg)
{
    struct job *job = arg;
    int rc = cord_sem_acquire(job->board->sem, job->board->deadline);
    if (rc == 0)
        job->board->order[atomic_fetch_add(&job->board->had, 1) % 8] = job->number;
    return rc;
}

static cord_task *waiter(struct board *board, int number)
{
    cord_task *task = begin(take, board, number);
    eventually(waits, task);
    return task;
}

/* [BaseSemaphoreTests.test_constructor] */
MODE_TEST(sem_new_above_the_limit_answers_einval)
{
    cord_sem *sem = NULL;
    is(cord_sem_new(&sem, 3, 2, flags()), -EINVAL);
    is(cord_sem_new(&sem, 1u << 31, 0, flags()), -EINVAL);
    is(cord_sem_new(&sem, UINT32_MAX, UINT32_MAX, flags()), -EINVAL);
    ck_assert_ptr_null(sem);
    is(cord_sem_new(&sem, INT32_MAX, 0, flags()), 0);
    is(cord_sem_value(sem), INT32_MAX);
    is(cord_sem_release(sem, 1), -EOVERFLOW);
    cord_sem_free(sem);
}
ALSO_SHARED(sem_new_above_the_limit_answers_einval)

/* [BaseSemaphoreTests.test_acquire, test_try_acquire, test_acquire_destroy, test_acquire_timeout] */
MODE_TEST(sem_acquire_takes_what_is_there)
{
    struct board *board = setup_with(3, 0);
    is(cord_sem_acquire(board->sem, CORD_FOREVER), 0);
    is(cord_sem_acquire(board->sem, CORD_NOWAIT), 0);
    is(cord_sem_acquire(board->sem, cord_in(0)), 0); /* a deadline that has passed tries once */
    is(cord_sem_value(board->sem), 0);
    is(cord_sem_acquire(board->sem, CORD_NOWAIT), -EAGAIN);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "semaphore"));
    is(cord_sem_acquire(board->sem, cord_in(0)), -ETIMEDOUT);
    int64_t before = cord_now();
    is(cord_sem_acquire(board->sem, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_ge(cord_now() - before, 30 * CORD_MILLISECOND);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "semaphore"));
    is(cord_sem_release(board->sem, 2), 0);
    is(cord_sem_value(board->sem), 2);
    is(cord_sem_acquire(board->sem, CORD_FOREVER), 0);
    is(cord_sem_value(board->sem), 1);
    teardown(board);
}
ALSO_SHARED(sem_acquire_takes_what_is_there)

/* [BaseSemaphoreTests.test_multirelease with n < 1, BoundedSemaphoreTests.test_release_unacquired] */
MODE_TEST(sem_released_above_its_limit_gives_none)
{
    struct board *board = setup_with(1, 2);
    is(cord_sem_release(board->sem, 0), -EINVAL);
    is(cord_sem_release(board->sem, 2), -EOVERFLOW);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "limit"));
    is(cord_sem_value(board->sem), 1);
    is(cord_sem_release(board->sem, 1), 0);
    is(cord_sem_release(board->sem, 1), -EOVERFLOW);
    is(cord_sem_release(board->sem, UINT32_MAX), -EOVERFLOW);
    is(cord_sem_value(board->sem), 2);
    is(cord_sem_acquire(board->sem, CORD_NOWAIT), 0);
    is(cord_sem_release(board->sem, 1), 0);
    teardown(board);
}
ALSO_SHARED(sem_released_above_its_limit_gives_none)

static bool two_had_it(void *arg)
{
    return atomic_load(&((struct board *)arg)->had) == 2;
}

/* Those who wait make no more room: as in Python. */
MODE_TEST(sem_with_any_limit_has_no_more_than_an_int)
{
    const uint32_t limits[] = { 0, INT32_MAX, UINT32_MAX };
    for (int i = 0; i < 3; i++) {
        cord_sem *sem;
        ok(cord_sem_new(&sem, 1, limits[i], flags()));
        is(cord_sem_release(sem, INT32_MAX), -EOVERFLOW);
        is(cord_sem_release(sem, UINT32_MAX), -EOVERFLOW);
        ok(cord_sem_release(sem, INT32_MAX - 1));
        is(cord_sem_release(sem, 1), -EOVERFLOW);
        is(cord_sem_value(sem), INT32_MAX);
        cord_sem_free(sem);
    }
}
ALSO_SHARED(sem_with_any_limit_has_no_more_than_an_int)

MODE_TEST(sem_released_above_its_limit_wakes_none)
{
    struct board *board = setup_with(0, 2);
    cord_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = waiter(board, i);
    is(cord_sem_release(board->sem, 3), -EOVERFLOW);
    is(board->had, 0);
    is(cord_sem_release(board->sem, 2), 0);
    eventually(two_had_it, board); /* between processes they still have to take what is there */
    is(cord_sem_release(board->sem, 1), 0);
    for (int i = 0; i < 3; i++)
        join(tasks[i], 0);
    is(cord_sem_value(board->sem), 0);
    teardown(board);
}
ALSO_SHARED(sem_released_above_its_limit_wakes_none)

/* [SemaphoreTests.test_release_unacquired] */
MODE_TEST(sem_released_unacquired_has_one_more)
{
    struct board *board = setup_with(1, 0);
    is(cord_sem_release(board->sem, 1), 0);
    is(cord_sem_acquire(board->sem, CORD_NOWAIT), 0);
    is(cord_sem_acquire(board->sem, CORD_NOWAIT), 0);
    is(cord_sem_acquire(board->sem, CORD_NOWAIT), -EAGAIN);
    teardown(board);
}
ALSO_SHARED(sem_released_unacquired_has_one_more)

static int try_it(void *arg)
{
    struct job *job = arg;
    is(cord_sem_acquire(job->board->sem, CORD_NOWAIT), job->number);
    return 0;
}

/* [BaseSemaphoreTests.test_try_acquire_contended, test_default_value] */
MODE_TEST(sem_taken_by_another_is_not_there)
{
    struct board *board = setup_with(1, 0);
    is(cord_sem_acquire(board->sem, CORD_FOREVER), 0);
    join(begin(try_it, board, -EAGAIN), 0);
    is(cord_sem_release(board->sem, 1), 0);
    join(begin(try_it, board, 0), 0);
    is(cord_sem_value(board->sem), 0);
    teardown(board);
}
ALSO_SHARED(sem_taken_by_another_is_not_there)

static int give(void *arg)
{
    struct job *job = arg;
    return cord_sem_release(job->board->sem, (uint32_t)job->number);
}

/* [BaseSemaphoreTests.test_acquire_contended, test_multirelease]: by another task. */
MODE_TEST(sem_released_by_another_wakes_so_many)
{
    struct board *board = setup_with(0, 0);
    cord_task *tasks[6];
    for (int i = 0; i < 6; i++)
        tasks[i] = waiter(board, i);
    join(begin(give, board, 2), 0);
    while (atomic_load(&board->had) < 2)
        ok(cord_sleep(CORD_MILLISECOND));
    is(cord_sem_value(board->sem), 0);
    join(begin(give, board, 1), 0);
    while (atomic_load(&board->had) < 3)
        ok(cord_sleep(CORD_MILLISECOND));
    join(begin(give, board, 5), 0); /* three wait for it */
    for (int i = 0; i < 6; i++)
        join(tasks[i], 0);
    is(board->had, 6);
    is(cord_sem_value(board->sem), 2);
    teardown(board);
}
ALSO_SHARED(sem_released_by_another_wakes_so_many)

MODE_TEST(sem_waiters_are_served_in_order_of_coming)
{
    if (mode.kind == CORD_PROCESS)
        skip("between processes the fastest wins");
    struct board *board = setup_with(0, 0);
    cord_task *tasks[8];
    for (int i = 0; i < 8; i++)
        tasks[i] = waiter(board, i);
    for (int i = 0; i < 8; i++) {
        is(cord_sem_release(board->sem, 1), 0);
        is(cord_sem_acquire(board->sem, CORD_NOWAIT), -EAGAIN); /* it belongs to the first one already */
        join(tasks[i], 0);
        is(board->order[i], i);
    }
    teardown(board);
}

MODE_TEST(sem_many_waiters_each_is_served)
{
    struct board *board = setup_with(0, 0);
    static cord_task *tasks[CROWD];
    int many = crowd();
    for (int i = 0; i < many; i++)
        tasks[i] = begin(take, board, i);
    for (int i = 0; i < many; i++)
        eventually(waits, tasks[i]);
    is(cord_sem_release(board->sem, (uint32_t)many - 1), 0);
    is(cord_sem_release(board->sem, 2), 0);
    for (int i = 0; i < many; i++)
        join(tasks[i], 0);
    is(board->had, many);
    is(cord_sem_value(board->sem), 1);
    teardown(board);
}
ALSO_SHARED(sem_many_waiters_each_is_served)

MODE_TEST(sem_wait_cancelled_loses_no_permit)
{
    struct board *board = setup_with(0, 0);
    cord_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = waiter(board, i);
    for (int i = 0; i < 2; i++) { /* the first one, and then another that has become it */
        cord_task_cancel(tasks[i]);
        join(tasks[i], -ECANCELED);
    }
    is(cord_task_status(tasks[2], NULL), CORD_RUNNING);
    is(cord_sem_release(board->sem, 2), 0);
    join(tasks[2], 0);
    is(cord_sem_value(board->sem), 1);
    teardown(board);
}
ALSO_SHARED(sem_wait_cancelled_loses_no_permit)

static int take_when_cancelled(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    atomic_store(&board->started, 1);
    while (cord_yield() == 0)
        ;
    return cord_sem_acquire(board->sem, CORD_FOREVER);
}

MODE_TEST(sem_acquire_of_one_cancelled_takes_none)
{
    struct board *board = setup_with(1, 0);
    cord_task *task = begin(take_when_cancelled, board, 0);
    while (atomic_load(&board->started) == 0)
        ok(cord_sleep(CORD_MILLISECOND));
    cord_task_cancel(task);
    join(task, -ECANCELED);
    is(cord_sem_value(board->sem), 1);
    teardown(board);
}
ALSO_SHARED(sem_acquire_of_one_cancelled_takes_none)

MODE_TEST(sem_waiter_that_times_out_loses_no_permit)
{
    struct board *board = setup_with(0, 0);
    cord_task *tasks[3];
    board->deadline = cord_in(30 * CORD_MILLISECOND);
    for (int i = 0; i < 3; i++)
        tasks[i] = begin(take, board, i);
    for (int i = 0; i < 3; i++)
        join(tasks[i], -ETIMEDOUT);
    is(cord_sem_release(board->sem, 1), 0);
    is(cord_sem_value(board->sem), 1);
    is(cord_sem_acquire(board->sem, CORD_NOWAIT), 0);
    teardown(board);
}
ALSO_SHARED(sem_waiter_that_times_out_loses_no_permit)

static int pass(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    for (int i = 0; i < 200; i++) {
        int rc = cord_sem_acquire(board->sem, CORD_FOREVER);
        if (rc < 0)
            return rc;
        int inside = atomic_fetch_add(&board->inside, 1) + 1, most = atomic_load(&board->most);
        while (inside > most && !atomic_compare_exchange_weak(&board->most, &most, inside))
            ;
        if (i % 8 == 0)
            (void)cord_yield();
        atomic_fetch_sub(&board->inside, 1);
        if ((rc = cord_sem_release(board->sem, 1)) < 0)
            return rc;
    }
    return 0;
}

/* [SemaphoreTests.test_with, BaseSemaphoreTests.test_acquire_contended]: the limit would tell of a permit too many. */
MODE_TEST(sem_of_three_lets_three_in)
{
    struct board *board = setup_with(3, 3);
    cord_task *tasks[8];
    for (int i = 0; i < 8; i++)
        tasks[i] = begin(pass, board, i);
    for (int i = 0; i < 8; i++)
        join(tasks[i], 0);
    ck_assert_int_le(board->most, 3);
    ck_assert_int_ge(board->most, 1);
    is(cord_sem_value(board->sem), 3);
    teardown(board);
}
ALSO_SHARED(sem_of_three_lets_three_in)

/* Takes with deadlines that pass, and gives back; cancelled at any moment. */
static int storm(void *arg)
{
    struct job *job = arg;
    struct board *board = job->board;
    uint32_t seed = (uint32_t)job->number * 2654435761u;
    while (atomic_load(&board->stop) == 0) {
        seed = seed * 1664525u + 1013904223u;
        cord_deadline deadline = seed >> 30 == 0 ? CORD_NOWAIT : cord_in((seed >> 16) % 300 * CORD_MICROSECOND);
        int rc = cord_sem_acquire(board->sem, deadline);
        if (rc == 0) {
            atomic_fetch_add(&board->had, 1);
            if (seed >> 16 & 1)
                (void)cord_yield();
            rc = cord_sem_release(board->sem, 1);
        } else if (rc == -EAGAIN || rc == -ETIMEDOUT)
            rc = cord_yield();
        if (rc < 0)
            return rc;
    }
    return 0;
}

MODE_TEST(sem_storm_of_cancels_and_deadlines_keeps_every_permit)
{
    enum { TASKS = 12, PERMITS = 3 };
    struct board *board = setup_with(PERMITS, PERMITS);
    cord_task *tasks[TASKS];
    cord_deadline end = cord_in(400 * CORD_MILLISECOND);
    struct job job = { board, 0 };
    for (; job.number < TASKS; job.number++)
        tasks[job.number] = start_kind(any_kind(job.number), storm, &job, sizeof job);
    for (; cord_left(end) > 0; job.number++) {
        cord_task **task = &tasks[job.number % TASKS];
        ok(cord_sleep(CORD_MILLISECOND));
        cord_task_cancel(*task);
        join(*task, -ECANCELED);
        *task = start_kind(any_kind(job.number), storm, &job, sizeof job);
    }
    atomic_store(&board->stop, 1);
    for (int i = 0; i < TASKS; i++)
        join(tasks[i], 0);
    ck_assert_int_gt(board->had, 0);
    is(cord_sem_value(board->sem), PERMITS);
    teardown(board);
}
ALSO_SHARED(sem_storm_of_cancels_and_deadlines_keeps_every_permit)

/* A permit is given in the moment in which the only waiter's time is up: it has it, or it is there. */
MODE_TEST(sem_released_as_a_waiter_times_out_is_kept)
{
    struct board *board = setup_with(0, 0);
    for (int i = 0; i < (mode.kind == CORD_PROCESS ? 30 : 200); i++) {
        cord_outcome out;
        board->deadline = cord_in(CORD_MILLISECOND);
        cord_task *task = begin(take, board, i);
        ok(cord_sleep(cord_left(board->deadline) + (i % 8 - 4) * 10 * CORD_MICROSECOND));
        is(cord_sem_release(board->sem, 1), 0);
        is(cord_task_join(task, soon(), &out), 0);
        cord_task_free(task);
        ck_assert(out.value == 0 || out.value == -ETIMEDOUT);
        is(cord_sem_acquire(board->sem, CORD_NOWAIT), out.value == 0 ? -EAGAIN : 0);
    }
    teardown(board);
}
ALSO_SHARED(sem_released_as_a_waiter_times_out_is_kept)

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
        ok(cord_task_start(&tasks[job.number], take, &job, sizeof job, &how));
        eventually(waits, tasks[job.number]);
    }
    for (int i = 0; i < TASKS; i++) {
        is(cord_sem_release(board->sem, 1), 0);
        join(tasks[i], 0);
        is(board->order[i % 8], i);
    }
    return 0;
}

static void on_loops(const char *backend)
{
    use_backend(backend);
    struct board *board = setup_with(0, 0);
    is(cord_run(mixed_loops, &board, &(cord_run_options){ .loops = 3 }), 0);
    is(board->had, 12);
    teardown(board);
}

PLAIN_TEST(sem_of_epoll_loops_and_threads_serves_in_order)
{
    on_loops("epoll");
}

PLAIN_TEST(sem_of_uring_loops_and_threads_serves_in_order)
{
    on_loops("uring");
}

static void mix(int shared)
{
    sharing = shared;
    struct board *board = setup_with(0, 0);
    struct job job = { board, 0 };
    cord_task *tasks[9];
    int count = 0;
    for (int i = 0; i < 3; i++)
        for (cord_kind kind = CORD_COROUTINE; kind <= (shared ? CORD_PROCESS : CORD_THREAD); kind++)
            tasks[count++] = start_kind(kind, take, &job, sizeof job);
    for (int i = 0; i < count; i++)
        eventually(waits, tasks[i]);
    is(cord_sem_release(board->sem, (uint32_t)count + 1), 0);
    for (int i = 0; i < count; i++)
        join(tasks[i], 0);
    is(board->had, count);
    is(cord_sem_value(board->sem), 1);
    teardown(board);
}

PLAIN_TEST(sem_of_coroutines_and_threads_serves_all)
{
    mix(0);
}

PLAIN_TEST(sem_of_coroutines_threads_and_processes_serves_all)
{
    mix(CORD_SHARED);
}

PLAIN_TEST(sem_in_own_memory_is_ready)
{
    cord_sem none = { 0 }, some = CORD_SEM_INIT(1, 1);
    is(cord_sem_acquire(&none, CORD_NOWAIT), -EAGAIN);
    is(cord_sem_release(&none, 1), 0);
    is(cord_sem_acquire(&none, CORD_FOREVER), 0);
    is(cord_sem_release(&some, 1), -EOVERFLOW);
    is(cord_sem_acquire(&some, CORD_FOREVER), 0);
    is(cord_sem_value(&some), 0);
    ck_assert_uint_eq(sizeof some, 32);
    cord_sem_free(NULL);
}

int main(void)
{
    return run_tests(
        "semaphore", BOTH(sem_new_above_the_limit_answers_einval), BOTH(sem_acquire_takes_what_is_there),
        BOTH(sem_released_above_its_limit_gives_none), BOTH(sem_with_any_limit_has_no_more_than_an_int),
        BOTH(sem_released_above_its_limit_wakes_none), BOTH(sem_released_unacquired_has_one_more),
        BOTH(sem_taken_by_another_is_not_there), BOTH(sem_released_by_another_wakes_so_many),
        MODE(sem_waiters_are_served_in_order_of_coming), BOTH(sem_many_waiters_each_is_served),
        BOTH(sem_wait_cancelled_loses_no_permit), BOTH(sem_acquire_of_one_cancelled_takes_none),
        BOTH(sem_waiter_that_times_out_loses_no_permit), BOTH(sem_of_three_lets_three_in),
        BOTH(sem_storm_of_cancels_and_deadlines_keeps_every_permit), BOTH(sem_released_as_a_waiter_times_out_is_kept),
        PLAIN(sem_of_epoll_loops_and_threads_serves_in_order), PLAIN(sem_of_uring_loops_and_threads_serves_in_order),
        PLAIN(sem_of_coroutines_and_threads_serves_all), PLAIN(sem_of_coroutines_threads_and_processes_serves_all),
        PLAIN(sem_in_own_memory_is_ready), END);
}
