/* tests/interleave/lock.c - the lock: one task holds it, one that waits gets it, also when it is handed over to a task
 * that has waited long, and a waiter that leaves takes no lock with it. */
#include "runner/interleave.h"

#include "runner/tasks.h"

#include "rt/park.c"

#include "sync/lock.c"

enum { MOST = 3 };

static struct {
    _Alignas(8) struct cord_task tasks[MODEL_TASKS];
    cord_lock lock;
    uint64_t inside, left, given_up, all;
    int64_t now;
} world;

/* Locks between processes are other sources. */
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

/* In the models of handing over, one lost race is a long time. */
int64_t cord_now(void)
{
    return world.now;
}

struct how {
    int rounds; /* 0: only in a deep run */
    cord_deadline deadline;
    int64_t after; /* a wait, so much time has gone by */
};

static int rounds_of(const struct how *how)
{
    return how->rounds > 0 ? how->rounds : model_rounds(MOST) - 1;
}

static void hold(void *arg)
{
    const struct how *how = arg;
    for (int i = 0; i < rounds_of(how); i++) {
        if (cord_lock_acquire(&world.lock, how->deadline) < 0) {
            must(how->deadline.at != 0);
            world.given_up++;
            continue;
        }
        must(world.inside++ == 0);
        model_step("holds the lock");
        world.now += how->after;
        world.inside--;
        must(cord_lock_release(&world.lock) == 0);
        world.left++;
    }
    world.all += (uint64_t)rounds_of(how);
    model_rest();
}

static void setup(void)
{
    model_tasks_begin(world.tasks);
}

static void check(void)
{
    model_tasks_check();
    must(world.lock.word == 0);
    must(world.left + world.given_up == world.all);
}

static const struct how once = { .rounds = 1 }, twice = { .rounds = 2 }, when_deep = { .rounds = 0 };
static const struct how once_at_most = { .rounds = 1, .deadline = SOME_TIME };
static const struct how once_long = { .rounds = 1, .after = LONG }, twice_long = { .rounds = 2, .after = LONG };

#define STATE .setup = setup, .check = check, .state = &world, .size = sizeof world

static const struct model holders = {
    .name = "holders",
    .tasks = { { "holder A", hold, (void *)&once },
               { "holder B", hold, (void *)&twice },
               { "holder C", hold, (void *)&when_deep } },
    STATE,
    .faults = { { "take_is_torn", "try_take", "(word_of(lock), now | LOCKED)", TORN, 0 },
                { "release_is_torn", "give_at_once", "(word_of(lock), 0)", TORN, 0 },
                { "waiter_does_not_look_again", "cordi_ring_lock", "load(word)", LIES, LOCKED } },
};
static const struct model deadline = {
    .name = "holders_and_a_deadline",
    .tasks = { { "holder A", hold, (void *)&twice },
               { "holder B", hold, (void *)&once_at_most },
               { "holder C", hold, (void *)&when_deep } },
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", "(&task->wait, value)", TORN, 0 } },
};
static const struct model hand_over = {
    .name = "lock_is_handed_over",
    .tasks = { { "holder A", hold, (void *)&once_long },
               { "holder B", hold, (void *)&twice_long },
               { "holder C", hold, (void *)&when_deep } },
    STATE,
    .faults = { { "unlock_is_lost", "cordi_ring_let_go", "store(word, now)", LOST, 0 } },
};

int main(int argc, char **argv)
{
    return run_models("interleave_lock", (const struct model *const[]){ &holders, &deadline, &hand_over, NULL }, argc,
                      argv);
}
