/* tests/stress/crowd.c - ten thousand coroutines wait for one object of each sort, and all are served, those that came
 * first first where that is promised. And processes are started while threads use what they share. */
#include "waiting.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { MANY = 10000, FEW = 500 };

struct crowd {
    cord_lock lock;
    cord_rlock rlock;
    cord_condition condition;
    cord_sem sem;
    cord_event event;
    cord_queue *items, *room;
    int (*wait)(struct crowd *crowd);
    int waiting, served; /* coroutines of one loop: no lock needed */
    bool in_order;
    struct turn *turns;
};

struct turn {
    struct crowd *crowd;
    int number;
};

static int many(void)
{
    return under_valgrind() || slow() > 1 ? FEW : MANY;
}

static int come(void *arg)
{
    const struct turn *turn = arg;
    struct crowd *crowd = turn->crowd;
    crowd->waiting++;
    int rc = crowd->wait(crowd);
    if (rc >= 0)
        crowd->in_order = crowd->in_order && crowd->served++ == turn->number;
    return rc;
}

static int by_lock(struct crowd *crowd)
{
    int rc = cord_lock_acquire(&crowd->lock, CORD_FOREVER);
    return rc < 0 ? rc : cord_lock_release(&crowd->lock);
}

static int by_rlock(struct crowd *crowd)
{
    int rc = cord_rlock_acquire(&crowd->rlock, CORD_FOREVER);
    return rc < 0 ? rc : cord_rlock_release(&crowd->rlock);
}

static int by_condition(struct crowd *crowd)
{
    int rc = cord_lock_acquire(&crowd->lock, CORD_FOREVER);
    if (rc == 0)
        rc = cord_condition_wait(&crowd->condition, &crowd->lock, CORD_FOREVER);
    int released = cord_lock_release(&crowd->lock);
    return rc < 0 ? rc : released;
}

static int by_sem(struct crowd *crowd)
{
    return cord_sem_acquire(&crowd->sem, CORD_FOREVER);
}

static int by_event(struct crowd *crowd)
{
    return cord_event_wait(&crowd->event, CORD_FOREVER);
}

static int by_get(struct crowd *crowd)
{
    int item;
    return cord_queue_get(crowd->items, &item, CORD_FOREVER);
}

static int by_put(struct crowd *crowd)
{
    return cord_queue_put(crowd->room, &crowd->served, CORD_FOREVER);
}

/* All of them wait; then `let_go` lets them, and all are served. */
static void gather(struct crowd *crowd, int (*wait)(struct crowd *), void (*let_go)(struct crowd *), bool in_order)
{
    cord_group *group;
    ok(cord_group_new(&group, NULL));
    crowd->wait = wait;
    crowd->waiting = crowd->served = 0;
    crowd->in_order = true;
    for (int i = 0; i < many(); i++) {
        crowd->turns[i] = (struct turn){ crowd, i };
        ok(cord_group_start(group, come, &crowd->turns[i], 0));
    }
    while (crowd->waiting < many())
        ok(cord_yield());
    ok(cord_yield());
    let_go(crowd);
    is(cord_group_join(group, cord_in(20 * CORD_SECOND * slow())), 0);
    ck_assert_int_eq(crowd->waiting, many());
    if (in_order)
        ck_assert_msg(crowd->in_order && crowd->served == many(), "somebody was overtaken");
}

static void release_lock(struct crowd *crowd)
{
    is(cord_lock_release(&crowd->lock), 0);
}

static void release_rlock(struct crowd *crowd)
{
    is(cord_rlock_release(&crowd->rlock), 0);
}

static void notify_all(struct crowd *crowd)
{
    ok(cord_lock_acquire(&crowd->lock, CORD_FOREVER));
    is(cord_condition_notify_all(&crowd->condition), many());
    is(cord_lock_release(&crowd->lock), 0);
}

static void give_permits(struct crowd *crowd)
{
    is(cord_sem_release(&crowd->sem, (uint32_t)many()), 0);
}

static void set_event(struct crowd *crowd)
{
    cord_event_set(&crowd->event);
}

static void put_items(struct crowd *crowd)
{
    for (int i = 0; i < many(); i++)
        is(cord_queue_put(crowd->items, &i, soon()), 0);
}

static void get_items(struct crowd *crowd)
{
    for (int i = 0, item; i < many() + 1; i++)
        is(cord_queue_get(crowd->room, &item, soon()), 0);
}

static int gather_everywhere(void *arg)
{
    struct crowd *crowd = arg;
    int none = -1;
    ok(cord_lock_acquire(&crowd->lock, CORD_FOREVER));
    gather(crowd, by_lock, release_lock, false);
    ok(cord_rlock_acquire(&crowd->rlock, CORD_FOREVER));
    gather(crowd, by_rlock, release_rlock, false);
    gather(crowd, by_condition, notify_all, false);
    gather(crowd, by_sem, give_permits, true);
    gather(crowd, by_event, set_event, true);
    gather(crowd, by_get, put_items, true);
    ok(cord_queue_put(crowd->room, &none, CORD_NOWAIT));
    gather(crowd, by_put, get_items, true);
    return 0;
}

PLAIN_TEST(ten_thousand_wait_for_one_object_and_all_are_served)
{
    struct crowd crowd = { .in_order = true, .turns = calloc(MANY, sizeof(struct turn)) };
    ok(cord_queue_new(&crowd.items, sizeof(int), 1, 0));
    ok(cord_queue_new(&crowd.room, sizeof(int), 1, 0));
    is(cord_run(gather_everywhere, &crowd, NULL), 0);
    cord_queue_free(crowd.items);
    cord_queue_free(crowd.room);
    free(crowd.turns);
}

/* --- processes started while threads use what is shared --- */

struct common {
    cord_lock *lock;
    cord_queue *queue;
    cord_sem *sem;
    _Atomic int stop;
    long counts[2]; /* under the lock */
};

static int use(struct common *common)
{
    int number = 1, rc = cord_lock_acquire(common->lock, soon());
    if (rc == 0) {
        common->counts[0]++;
        common->counts[1]++;
        rc = cord_lock_release(common->lock);
    }
    if (rc == 0)
        rc = cord_queue_put(common->queue, &number, soon());
    if (rc == 0)
        rc = cord_sem_release(common->sem, 1);
    if (rc == 0)
        rc = cord_sem_acquire(common->sem, soon());
    return rc == 0 ? cord_queue_get(common->queue, &number, soon()) : rc;
}

static int use_until_stopped(void *arg)
{
    struct common *common = arg;
    int rc = 0;
    while (rc == 0 && !atomic_load(&common->stop))
        rc = use(common);
    return rc;
}

static int use_once(void *arg)
{
    return use(arg);
}

PLAIN_TEST(processes_started_while_threads_use_what_they_share_use_it_too)
{
    skip_without_processes();
    struct common *common = board_new(sizeof *common);
    cord_task *threads[3];
    ok(cord_lock_new(&common->lock, CORD_SHARED));
    ok(cord_queue_new(&common->queue, sizeof(int), 2, CORD_SHARED));
    ok(cord_sem_new(&common->sem, 0, 0, CORD_SHARED));
    for (int i = 0; i < 3; i++)
        threads[i] = start_kind(CORD_THREAD, use_until_stopped, common, 0);
    for (int i = 0; i < 100 / slow(); i++)
        join(start_kind(CORD_PROCESS, use_once, common, 0), 0);
    atomic_store(&common->stop, 1);
    for (int i = 0; i < 3; i++)
        join(threads[i], 0);
    is(common->counts[0] == common->counts[1], true);
    is(cord_queue_size(common->queue), 0);
    is(cord_sem_value(common->sem), 0);
    cord_lock_free(common->lock);
    cord_queue_free(common->queue);
    cord_sem_free(common->sem);
    cord_shared_free(common);
}

int main(void)
{
    return run_tests("stress_crowd", SLOW(PLAIN(ten_thousand_wait_for_one_object_and_all_are_served), 60),
                     SLOW(PLAIN(processes_started_while_threads_use_what_they_share_use_it_too), 60), END);
}
