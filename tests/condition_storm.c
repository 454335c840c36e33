/* tests/condition_storm.c - the condition under many waits and notifies at once, of every kind: none is lost or spent
 * on a wait that ends otherwise. */
#include "waiting.h"

#include <errno.h>
#include <stdatomic.h>

struct board {
    cord_lock *lock;
    cord_condition *condition, *room;
    int items, put, got; /* under the lock */
    _Atomic int notified, answered, stop;
};

struct job {
    struct board *board;
    int number;
};

static struct board *setup(void)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_lock_new(&board->lock, flags()));
    ok(cord_condition_new(&board->condition, flags()));
    ok(cord_condition_new(&board->room, flags()));
    return board;
}

static void teardown(struct board *board)
{
    is(cord_lock_held(board->lock), false);
    if (!flags()) {
        ck_assert_uint_eq(board->lock->word, 0);
        ck_assert_uint_eq(board->condition->word, 0); /* no waiter left a trace */
        ck_assert_uint_eq(board->room->word, 0);
    }
    cord_condition_free(board->condition);
    cord_condition_free(board->room);
    cord_lock_free(board->lock);
    cord_shared_free(board);
}

enum { ITEMS = 500, ROOM = 3 };

static int produce(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    for (int i = 0; i < ITEMS; i++) {
        int rc = cord_lock_acquire(board->lock, CORD_FOREVER);
        while (rc == 0 && board->items == ROOM)
            rc = cord_condition_wait(board->room, board->lock, CORD_FOREVER);
        if (rc < 0)
            return rc;
        board->items++;
        board->put++;
        if ((rc = cord_condition_notify(board->condition, 1)) < 0 || (rc = cord_lock_release(board->lock)) < 0)
            return rc;
    }
    return 0;
}

static int consume(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    for (int i = 0; i < ITEMS; i++) {
        int rc = cord_lock_acquire(board->lock, CORD_FOREVER);
        while (rc == 0 && board->items == 0)
            rc = cord_condition_wait(board->condition, board->lock, CORD_FOREVER);
        if (rc < 0)
            return rc;
        board->items--;
        board->got++;
        if ((rc = cord_condition_notify(board->room, 1)) < 0 || (rc = cord_lock_release(board->lock)) < 0)
            return rc;
    }
    return 0;
}

/* Notifies of one, and no more waits than items: any that were lost would leave tasks asleep. */
MODE_TEST(condition_of_producers_and_consumers_loses_no_notify)
{
    struct board *board = setup();
    struct job job = { board, 0 };
    cord_task *tasks[8];
    for (int i = 0; i < 8; i++)
        tasks[i] = start_kind(any_kind(i), i % 2 ? produce : consume, &job, sizeof job);
    for (int i = 0; i < 8; i++)
        join(tasks[i], 0);
    is(board->put, 4 * ITEMS);
    is(board->got, 4 * ITEMS);
    is(board->items, 0);
    teardown(board);
}
ALSO_SHARED(condition_of_producers_and_consumers_loses_no_notify)

/* Waits with deadlines that pass; cancelled at any moment. */
static int storm(void *arg)
{
    struct job *job = arg;
    struct board *board = job->board;
    uint32_t seed = (uint32_t)job->number * 2654435761u;
    int rc = 0;
    while (rc != -ECANCELED && atomic_load(&board->stop) == 0) {
        seed = seed * 1664525u + 1013904223u;
        if (cord_lock_acquire(board->lock, CORD_FOREVER) != 0)
            return -EDOM;
        int inside = board->items++;
        rc = cord_condition_wait(board->condition, board->lock, cord_in((seed >> 16) % 400 * CORD_MICROSECOND));
        if (rc == 0)
            atomic_fetch_add(&board->answered, 1);
        board->items--;
        if (cord_lock_release(board->lock) != 0 || inside < 0)
            return -EDOM;
        if (rc != 0 && rc != -ETIMEDOUT && rc != -ECANCELED)
            return rc;
    }
    return rc == -ECANCELED ? rc : 0;
}

MODE_TEST(condition_storm_of_cancels_and_deadlines_spends_no_notify)
{
    enum { TASKS = 12 };
    struct board *board = setup();
    cord_task *tasks[TASKS];
    cord_deadline end = cord_in(400 * CORD_MILLISECOND);
    struct job job = { board, 0 };
    for (; job.number < TASKS; job.number++)
        tasks[job.number] = start_kind(any_kind(job.number), storm, &job, sizeof job);
    for (; cord_left(end) > 0; job.number++) {
        cord_task **task = &tasks[job.number % TASKS];
        for (int i = 0; i < 3; i++) {
            is(cord_lock_acquire(board->lock, soon()), 0);
            int rc = cord_condition_notify(board->condition, (uint32_t)(job.number + i) % 4);
            ok(rc);
            atomic_fetch_add(&board->notified, rc);
            is(cord_lock_release(board->lock), 0);
            ok(cord_sleep(200 * CORD_MICROSECOND));
        }
        cord_task_cancel(*task);
        join(*task, -ECANCELED);
        *task = start_kind(any_kind(job.number), storm, &job, sizeof job);
    }
    atomic_store(&board->stop, 1);
    for (int i = 0; i < TASKS; i++)
        join(tasks[i], 0);
    if (slow() == 1)
        ck_assert_int_gt(board->notified, 0);
    is(board->answered, board->notified);
    is(board->items, 0);
    teardown(board);
}
ALSO_SHARED(condition_storm_of_cancels_and_deadlines_spends_no_notify)

int main(void)
{
    return run_tests("condition_storm", BOTH(condition_of_producers_and_consumers_loses_no_notify),
                     BOTH(condition_storm_of_cancels_and_deadlines_spends_no_notify), END);
}
