/* tests/lock.c - the lock, local and shared, in every kind. In brackets: the scenario's name in CPython's
 * lock_tests.py. */
#include "waiting.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

struct board {
    cord_lock *lock;
    int count; /* under the lock */
    _Atomic int started;
    int order[8]; /* who had the lock, under it */
    cord_deadline deadline;
};

static struct board *setup(void)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_lock_new(&board->lock, flags()));
    return board;
}

static void teardown(struct board *board)
{
    is(cord_lock_held(board->lock), false);
    if (!flags())
        ck_assert_uint_eq(board->lock->word, 0); /* no waiter left a trace */
    cord_lock_free(board->lock);
    cord_shared_free(board);
}

struct job {
    struct board *board;
    int number;
};

static int add(void *arg)
{
    struct job *job = arg;
    for (int i = 0; i < job->number; i++) {
        int rc = cord_lock_acquire(job->board->lock, CORD_FOREVER);
        if (rc != 0)
            return rc;
        int count = job->board->count;
        if (i % 16 == 0)
            (void)cord_yield(); /* others run while it is held */
        job->board->count = count + 1;
        if ((rc = cord_lock_release(job->board->lock)) < 0)
            return rc;
    }
    return 0;
}

/* [test_acquire_contended, test_with, test_acquire_release] */
MODE_TEST(lock_excludes_count_is_exact)
{
    struct board *board = setup();
    cord_task *tasks[6];
    for (int i = 0; i < 6; i++)
        tasks[i] = start(add, &(struct job){ board, 1000 }, sizeof(struct job));
    for (int i = 0; i < 6; i++)
        join(tasks[i], 0);
    is(board->count, 6000);
    teardown(board);
}
ALSO_SHARED(lock_excludes_count_is_exact)

MODE_TEST(lock_many_waiters_each_gets_it)
{
    struct board *board = setup();
    int many = crowd();
    static cord_task *tasks[CROWD];
    ok(cord_lock_acquire(board->lock, CORD_FOREVER));
    for (int i = 0; i < many; i++)
        tasks[i] = start(add, &(struct job){ board, 1 }, sizeof(struct job));
    is(board->count, 0);
    is(cord_lock_release(board->lock), 0);
    for (int i = 0; i < many; i++)
        join(tasks[i], 0);
    is(board->count, many);
    teardown(board);
}
ALSO_SHARED(lock_many_waiters_each_gets_it)

static int try_held(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    is(cord_lock_held(board->lock), true);
    is(cord_lock_acquire(board->lock, CORD_NOWAIT), -EAGAIN);
    is(cord_lock_acquire(board->lock, cord_in(0)), -ETIMEDOUT);
    int64_t before = cord_now();
    is(cord_lock_acquire(board->lock, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_ge(cord_now() - before, 30 * CORD_MILLISECOND);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "lock"));
    return 0;
}

/* [test_try_acquire, test_try_acquire_contended, test_timeout] */
MODE_TEST(lock_held_by_another_answers_eagain_and_etimedout)
{
    struct board *board = setup();
    ok(cord_lock_acquire(board->lock, CORD_NOWAIT));
    join(start(try_held, &(struct job){ board, 0 }, sizeof(struct job)), 0);
    is(cord_lock_release(board->lock), 0);
    is(cord_lock_acquire(board->lock, cord_in(0)), 0); /* a deadline that has passed tries once */
    is(cord_lock_release(board->lock), 0);
    teardown(board);
}
ALSO_SHARED(lock_held_by_another_answers_eagain_and_etimedout)

MODE_TEST(lock_held_by_oneself_answers_edeadlk_only_for_ever)
{
    struct board *board = setup();
    ok(cord_lock_acquire(board->lock, CORD_FOREVER));
    is(cord_lock_acquire(board->lock, CORD_FOREVER), -EDEADLK);
    is(cord_lock_acquire(board->lock, CORD_NOWAIT), -EAGAIN);
    is(cord_lock_acquire(board->lock, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
    is(cord_lock_release(board->lock), 0);
    is(cord_lock_release(board->lock), -EPERM);
    teardown(board);
}
ALSO_SHARED(lock_held_by_oneself_answers_edeadlk_only_for_ever)

static int release_it(void *arg)
{
    return cord_lock_release(((struct job *)arg)->board->lock);
}

/* [test_different_thread] */
MODE_TEST(lock_released_by_another_task_is_free)
{
    struct board *board = setup();
    ok(cord_lock_acquire(board->lock, CORD_FOREVER));
    cord_task *other = start(release_it, &(struct job){ board, 0 }, sizeof(struct job));
    is(cord_lock_acquire(board->lock, soon()), 0);
    join(other, 0);
    is(cord_lock_release(board->lock), 0);
    teardown(board);
}
ALSO_SHARED(lock_released_by_another_task_is_free)

static int take_twice(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    int rc = cord_lock_acquire(board->lock, CORD_FOREVER);
    if (rc == 0) {
        atomic_store(&board->started, 1);
        rc = cord_lock_acquire(board->lock, board->deadline);
    }
    board->count++;
    return rc < 0 ? rc : cord_lock_release(board->lock);
}

/* [test_reacquire] */
MODE_TEST(lock_taken_twice_waits_for_a_release_by_another)
{
    struct board *board = setup();
    board->deadline = soon();
    cord_task *task = start(take_twice, &(struct job){ board, 0 }, sizeof(struct job));
    while (atomic_load(&board->started) == 0)
        ok(cord_sleep(CORD_MILLISECOND));
    is(cord_task_join(task, cord_in(20 * CORD_MILLISECOND), NULL), -ETIMEDOUT);
    is(board->count, 0);
    is(cord_lock_release(board->lock), 0);
    join(task, 0);
    is(board->count, 1);
    teardown(board);
}
ALSO_SHARED(lock_taken_twice_waits_for_a_release_by_another)

static int take_until(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    atomic_fetch_add(&board->started, 1);
    int number = ((struct job *)arg)->number;
    int rc = cord_lock_acquire(board->lock, number < 0 ? CORD_FOREVER : board->deadline);
    if (rc < 0)
        return rc;
    board->order[board->count++ % 8] = number;
    return cord_lock_release(board->lock);
}

/* [test_state_after_timeout] */
MODE_TEST(lock_waiter_that_times_out_leaves_no_trace)
{
    struct board *board = setup();
    board->deadline = cord_in(50 * CORD_MILLISECOND);
    ok(cord_lock_acquire(board->lock, CORD_FOREVER));
    cord_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = start(take_until, &(struct job){ board, i }, sizeof(struct job));
    for (int i = 0; i < 3; i++)
        join(tasks[i], -ETIMEDOUT);
    is(cord_lock_release(board->lock), 0);
    is(cord_lock_acquire(board->lock, CORD_NOWAIT), 0);
    is(cord_lock_release(board->lock), 0);
    is(board->count, 0);
    teardown(board);
}
ALSO_SHARED(lock_waiter_that_times_out_leaves_no_trace)

/* The release comes when the first waiter's time is up: whether it had gone or not, the one behind it gets the lock. */
MODE_TEST(lock_released_as_a_waiter_times_out_goes_to_the_next)
{
    struct board *board = setup();
    for (int i = 0; i < (mode.kind == CORD_PROCESS ? 40 : 200); i++) {
        ok(cord_lock_acquire(board->lock, CORD_FOREVER));
        board->deadline = cord_in(2 * CORD_MILLISECOND);
        cord_task *first = start(take_until, &(struct job){ board, 0 }, sizeof(struct job));
        cord_task *next = start(take_until, &(struct job){ board, -1 }, sizeof(struct job));
        ok(cord_sleep(cord_left(board->deadline) + (i % 8 - 4) * 10 * CORD_MICROSECOND));
        is(cord_lock_release(board->lock), 0);
        cord_outcome out;
        is(cord_task_join(first, soon(), &out), 0);
        ck_assert(out.value == 0 || out.value == -ETIMEDOUT);
        cord_task_free(first);
        join(next, 0);
    }
    teardown(board);
}
ALSO_SHARED(lock_released_as_a_waiter_times_out_goes_to_the_next)

MODE_TEST(lock_waiters_get_it_in_order_of_coming)
{
    struct board *board = setup();
    cord_task *tasks[8];
    if (mode.kind == CORD_PROCESS)
        skip("between processes the fastest wins");
    ok(cord_lock_acquire(board->lock, CORD_FOREVER));
    for (int i = 0; i < 8; i++) {
        tasks[i] = start(take_until, &(struct job){ board, i }, sizeof(struct job));
        eventually(waits, tasks[i]);
    }
    is(cord_lock_release(board->lock), 0);
    for (int i = 0; i < 8; i++)
        join(tasks[i], 0);
    for (int i = 0; i < 8; i++)
        is(board->order[i], i);
    teardown(board);
}

static int hog(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    int rc = 0;
    while (rc == 0 && atomic_load(&board->started) == 0) { /* releases only to take again at once */
        if ((rc = cord_lock_acquire(board->lock, CORD_FOREVER)) == 0) {
            board->count++;
            rc = cord_sleep(CORD_MILLISECOND);
            (void)cord_lock_release(board->lock);
        }
    }
    return rc;
}

MODE_TEST(lock_of_a_hog_is_got_in_bounded_turns)
{
    struct board *board = setup();
    cord_task *task = start(hog, &(struct job){ board, 0 }, sizeof(struct job));
    for (int i = 0; i < 5; i++) {
        while (!cord_lock_held(board->lock))
            ok(cord_yield());
        is(cord_lock_acquire(board->lock, soon()), 0);
        is(cord_lock_release(board->lock), 0);
    }
    atomic_store(&board->started, 1);
    join(task, 0);
    teardown(board);
}
ALSO_SHARED(lock_of_a_hog_is_got_in_bounded_turns)

static int take_cancelled(void *arg)
{
    int rc = take_until(arg);
    if (rc < 0)
        return rc;
    return cord_sleep(CORD_SECOND); /* the next wait sees it */
}

MODE_TEST(lock_acquire_cancelled_still_gets_it)
{
    struct board *board = setup();
    ok(cord_lock_acquire(board->lock, CORD_FOREVER));
    cord_task *task = start(take_cancelled, &(struct job){ board, 0 }, sizeof(struct job));
    while (atomic_load(&board->started) == 0)
        ok(cord_sleep(CORD_MILLISECOND));
    cord_task_cancel(task);
    is(cord_task_join(task, cord_in(20 * CORD_MILLISECOND), NULL), -ETIMEDOUT);
    is(board->count, 0);
    is(cord_lock_release(board->lock), 0);
    join(task, -ECANCELED);
    is(board->count, 1);
    teardown(board);
}
ALSO_SHARED(lock_acquire_cancelled_still_gets_it)

static void mix(int shared)
{
    sharing = shared;
    struct board *board = setup();
    cord_task *tasks[9];
    int count = 0;
    for (int i = 0; i < 3; i++)
        for (cord_kind kind = CORD_COROUTINE; kind <= (shared ? CORD_PROCESS : CORD_THREAD); kind++)
            tasks[count++] = start_kind(kind, add, &(struct job){ board, 1000 }, sizeof(struct job));
    for (int i = 0; i < count; i++)
        join(tasks[i], 0);
    is(board->count, count * 1000);
    teardown(board);
}

PLAIN_TEST(lock_of_coroutines_and_threads_excludes)
{
    mix(0);
}

PLAIN_TEST(lock_of_coroutines_threads_and_processes_excludes)
{
    mix(CORD_SHARED);
}

/* Coroutines of several loops and threads wait at once. */
static int mixed_loops(void *arg)
{
    enum { TASKS = 12 };
    struct board *board = *(struct board **)arg;
    cord_task *tasks[TASKS];
    ok(cord_lock_acquire(board->lock, CORD_FOREVER));
    for (int i = 0; i < TASKS; i++) {
        cord_task_options how = { .kind = i % 3 == 0 ? CORD_THREAD : CORD_COROUTINE,
                                  .loop = i % 3 == 1 ? CORD_LOOP_ANY : CORD_LOOP_HERE };
        ok(cord_task_start(&tasks[i], take_until, &(struct job){ board, i }, sizeof(struct job), &how));
        eventually(waits, tasks[i]);
    }
    is(cord_lock_release(board->lock), 0);
    for (int i = 0; i < TASKS; i++)
        join(tasks[i], 0);
    return 0;
}

static void on_loops(const char *backend)
{
    use_backend(backend);
    struct board *board = setup();
    is(cord_run(mixed_loops, &board, &(cord_run_options){ .loops = 3 }), 0);
    is(board->count, 12);
    teardown(board);
}

PLAIN_TEST(lock_of_epoll_loops_and_threads_each_gets_it)
{
    on_loops("epoll");
}

PLAIN_TEST(lock_of_uring_loops_and_threads_each_gets_it)
{
    on_loops("uring");
}

PLAIN_TEST(lock_in_own_memory_zeroed_is_ready)
{
    cord_lock lock = CORD_LOCK_INIT;
    is(cord_lock_held(&lock), false);
    is(cord_lock_release(&lock), -EPERM);
    is(cord_lock_acquire(&lock, CORD_FOREVER), 0);
    is(cord_lock_held(&lock), true);
    is(cord_lock_release(&lock), 0);
    ck_assert_uint_eq(sizeof lock, 16);
    cord_lock_free(NULL);
}

PLAIN_TEST(lock_in_shared_memory_and_not_made_there_answers_einval)
{
    struct {
        cord_lock lock;
        uint64_t guarded[2];
        cord_rlock rlock;
    } *it = board_new(sizeof *it);
    it->guarded[0] = it->guarded[1] = 42;
    is(cord_lock_acquire(&it->lock, CORD_FOREVER), -EINVAL);
    is(cord_lock_release(&it->lock), -EINVAL);
    is(cord_rlock_acquire(&it->rlock, CORD_NOWAIT), -EINVAL);
    ck_assert_uint_eq(it->guarded[0], 42);
    ck_assert_uint_eq(it->guarded[1], 42);
    cord_shared_free(it);
}

int main(void)
{
    return run_tests(
        "lock", BOTH(lock_excludes_count_is_exact), BOTH(lock_many_waiters_each_gets_it),
        BOTH(lock_held_by_another_answers_eagain_and_etimedout),
        BOTH(lock_held_by_oneself_answers_edeadlk_only_for_ever), BOTH(lock_released_by_another_task_is_free),
        BOTH(lock_taken_twice_waits_for_a_release_by_another), BOTH(lock_waiter_that_times_out_leaves_no_trace),
        BOTH(lock_released_as_a_waiter_times_out_goes_to_the_next), MODE(lock_waiters_get_it_in_order_of_coming),
        BOTH(lock_of_a_hog_is_got_in_bounded_turns), BOTH(lock_acquire_cancelled_still_gets_it),
        PLAIN(lock_of_coroutines_and_threads_excludes), PLAIN(lock_of_coroutines_threads_and_processes_excludes),
        PLAIN(lock_of_epoll_loops_and_threads_each_gets_it), PLAIN(lock_of_uring_loops_and_threads_each_gets_it),
        PLAIN(lock_in_own_memory_zeroed_is_ready), PLAIN(lock_in_shared_memory_and_not_made_there_answers_einval), END);
}
