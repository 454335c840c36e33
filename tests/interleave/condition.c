/* tests/interleave/condition.c - the condition, with the lock under it: whoever waits when the lock is taken is found
 * by a notify, each notify that was answered for has woken one, and a wait returns with the lock, however it ended. */
#include "runner/interleave.h"

#include "runner/tasks.h"

#include "rt/park.c"

#include "sync/lock.c"

#include "sync/condition.c"

enum { WAITER };
static const uint64_t one = 1, two = 2;

static struct {
    _Alignas(8) struct cord_task tasks[MODEL_TASKS];
    cord_lock lock;
    cord_condition condition;
    uint64_t inside, items, put, taken; /* the last three under the lock */
    uint64_t notified, woken;
} world;

/* Those between processes are other sources. */
int cordi_shared_lock_acquire(struct cordi_shared_lock *lock, cord_deadline deadline)
{
    must(lock == NULL);
    return (int)deadline.at;
}

int cordi_shared_lock_release(struct cordi_shared_lock *lock)
{
    must(lock == NULL);
    return 0;
}

bool cordi_shared_lock_held(const struct cordi_shared_lock *lock)
{
    must(lock == NULL);
    return false;
}

bool cordi_shared_lock_mine(const struct cordi_shared_lock *lock)
{
    must(lock == NULL);
    return false;
}

int cordi_shared_condition_wait(cord_condition *condition, cord_lock *lock, cord_deadline deadline)
{
    must(condition == NULL && lock == NULL);
    return (int)deadline.at;
}

int cordi_shared_condition_notify(cord_condition *condition, uint32_t count)
{
    must(condition == NULL);
    return (int)count;
}

static void enter(void)
{
    must(cord_lock_acquire(&world.lock, CORD_FOREVER) == 0);
    must(world.inside++ == 0);
}

static void leave_lock(void)
{
    world.inside--;
    must(cord_lock_release(&world.lock) == 0);
}

/* So many wait. (Or did, in its buffer: the word may be one that is about to change.) */
static bool wait_there(void *arg)
{
    const struct cordi_waiter *first = cordi_ring_first(world.condition.word);
    return first != NULL && (*(const uint64_t *)arg == 1 || !cordi_list_empty(&first->link));
}

/* Takes an item, or gives up where it may. */
static void get(void *arg)
{
    const cord_deadline *deadline = arg;
    int rc = 0;
    enter();
    while (world.items == 0 && rc == 0) {
        world.inside--;
        rc = cord_condition_wait(&world.condition, &world.lock, *deadline);
        must(world.inside++ == 0);
        must(rc == 0 || rc == (deadline->at != 0 ? -ETIMEDOUT : -ECANCELED));
        must(rc != -ECANCELED || world.tasks[model_me()].cancelled);
        world.woken += rc == 0;
    }
    if (world.items > 0) {
        world.items--;
        world.taken++;
    }
    leave_lock();
    model_rest();
}

static void put(void *arg)
{
    enter();
    world.items += *(const uint64_t *)arg;
    world.put += *(const uint64_t *)arg;
    int rc = cord_condition_notify(&world.condition, (uint32_t) * (const uint64_t *)arg);
    must(rc >= 0 && rc <= (int)*(const uint64_t *)arg);
    world.notified += (uint64_t)rc;
    leave_lock();
}

/* Two waiters, which both wait when the notify comes: only in a deep run, as that takes long. */
static void get_when_deep(void *arg)
{
    if (model_rounds(2) < 2)
        return;
    model_wait(wait_there, (void *)&one, "the other one waits");
    get(arg);
}

static void put_for_all(void *arg)
{
    (void)arg;
    if (model_rounds(2) == 2)
        model_wait(wait_there, (void *)&two, "both wait");
    put((void *)(model_rounds(2) == 2 ? &two : &one));
}

static void cancel(void *arg)
{
    (void)arg;
    cord_task_cancel(&world.tasks[WAITER]);
}

static void setup(void)
{
    model_tasks_begin(world.tasks);
}

static void check(void)
{
    model_tasks_check();
    must(world.lock.word == 0);
    must(world.condition.word == 0);
    must(world.put == world.taken + world.items);
    must(world.notified == world.woken);
}

static const cord_deadline for_ever = { 0 }, some_time = SOME_TIME;

#define FOR_EVER (void *)&for_ever
#define FOR_SOME_TIME (void *)&some_time
#define ONE (void *)&one
#define STATE .setup = setup, .check = check, .state = &world, .size = sizeof world

static const struct model waiters = {
    .name = "waiters_and_a_notify",
    .tasks = { { "waiter A", get, FOR_EVER },
               { "waiter B", get_when_deep, FOR_EVER },
               { "notifier", put_for_all, NULL } },
    STATE,
    .faults = { { "notify_does_not_look", "cord_condition_notify", "load(ring_of(condition))", LIES, 0 },
                { "owner_is_not_noted", "cord_lock_acquire", "(owner_of(lock), self)", LOST, 0 },
                { "take_is_torn", "try_take", "(word_of(lock), now | LOCKED)", TORN, 0 },
                { "unlock_is_lost", "cordi_ring_let_go", "store(word, now)", LOST, 0 },
                { "lock_is_kept", "give_at_once", "(word_of(lock), 0)", LOST, 0 } },
};
static const struct model deadline = {
    .name = "notify_and_a_deadline",
    .tasks = { { "waiter", get, FOR_SOME_TIME }, { "notifier", put, ONE } },
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", "(&task->wait, value)", TORN, 0 } },
};
static const struct model cancelled = {
    .name = "notify_and_a_cancel",
    .tasks = { { "waiter", get, FOR_EVER }, { "canceller", cancel, NULL }, { "notifier", put, ONE } },
    STATE,
    .faults = { { "lock_lets_two_in", "cordi_spin_lock", "(word, bit)", LIES, 0 },
                { "owed_wake_is_not_taken", "cordi_wait_over_or_late", "load(&self->wait)", LIES,
                  CORDI_ENDED_ITSELF } },
};

int main(int argc, char **argv)
{
    return run_models("interleave_condition", (const struct model *const[]){ &waiters, &deadline, &cancelled, NULL },
                      argc, argv);
}
