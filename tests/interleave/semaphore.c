/* tests/interleave/semaphore.c - the semaphore and its ring of waiters: a permit that was given is taken or still
 * there, a waiter that was claimed has one, a waiter that leaves by itself takes none, and nobody gets past one who
 * waits. */
#include "runner/interleave.h"

#include "runner/tasks.h"

#include "rt/park.c"

#include "sync/semaphore.c"

enum { TAKER, MOST = 3 };

static struct {
    _Alignas(8) struct cord_task tasks[MODEL_TASKS];
    cord_sem sem;
    uint64_t given, taken;
} world;

/* Semaphores between processes are other sources. */
int cordi_shared_sem_acquire(cord_sem *sem, cord_deadline deadline)
{
    must(sem == NULL);
    return (int)deadline.at;
}

int cordi_shared_sem_release(cord_sem *sem, uint32_t count)
{
    must(sem == NULL);
    return (int)count;
}

static void take_once(void *arg)
{
    const cord_deadline *deadline = arg;
    int rc = cord_sem_acquire(&world.sem, *deadline);
    must(rc == 0 || deadline->at != 0 || world.tasks[model_me()].cancelled);
    world.taken += rc == 0;
}

static void take(void *arg)
{
    for (int i = 0; i < model_rounds(MOST); i++)
        take_once(arg);
    model_rest();
}

static void give(void *arg)
{
    for (int i = 0; i < model_rounds(MOST); i++) {
        must(cord_sem_release(&world.sem, *(const uint32_t *)arg) == 0);
        world.given += *(const uint32_t *)arg;
    }
}

/* The only taker waits (or did: the word may be one that is about to change), or has had its permit. */
static bool has_come(void *arg)
{
    (void)arg;
    return cordi_ring_first(world.sem.word) != NULL || world.taken > 0;
}

static void pass_by(void *arg)
{
    (void)arg;
    model_wait(has_come, NULL, "the taker has come");
    must(cord_sem_acquire(&world.sem, CORD_NOWAIT) == -EAGAIN);
}

static void cancel(void *arg)
{
    (void)arg;
    cord_task_cancel(&world.tasks[TAKER]);
}

static void setup(void)
{
    model_tasks_begin(world.tasks);
}

static void check(void)
{
    model_tasks_check();
    must(world.sem.word == 0);
    must(world.given == world.taken + world.sem.value);
}

static const cord_deadline for_ever = { 0 }, some_time = SOME_TIME;
static const uint32_t one = 1, two = 2;

#define FOR_EVER (void *)&for_ever
#define FOR_SOME_TIME (void *)&some_time
#define ONE (void *)&one
#define TWO (void *)&two
#define STATE .setup = setup, .check = check, .state = &world, .size = sizeof world

static const struct model two_givers = {
    .name = "taker_and_two_givers",
    .tasks = { { "taker", take, FOR_EVER }, { "giver A", give, ONE }, { "giver B", give, ONE } },
    STATE,
    .faults = { { "taker_does_not_look_again", "cordi_sem_try", "load(value_of(sem))", LIES, 0 },
                { "permit_is_lost", "cord_sem_release", "(value_of(sem), value + count)", LOST, 0 },
                { "lock_lets_two_in", "cordi_spin_lock", "(word, bit)", LIES, 0 } },
};
static const struct model two_takers = {
    .name = "two_takers_and_a_giver",
    .tasks = { { "taker A", take, FOR_EVER }, { "taker B", take, FOR_EVER }, { "giver", give, TWO } },
    STATE,
    .faults = { { "permit_is_taken_twice", "cordi_sem_try", "(value_of(sem), value - 1)", LOST, 0 },
                { "ring_is_forgotten", "cordi_ring_lock", "load(word)", LIES, 0 } },
};
static const struct model deadline = {
    .name = "takers_and_a_deadline",
    .tasks = { { "taker A", take, FOR_SOME_TIME }, { "taker B", take, FOR_EVER }, { "giver", give, TWO } },
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", "(&task->wait, value)", TORN, 0 } },
};
static const struct model cancelled = {
    .name = "taker_is_cancelled",
    .tasks = { { "taker", take, FOR_EVER }, { "canceller", cancel, NULL }, { "giver", give, ONE } },
    STATE,
    .faults = { { "owed_wake_is_not_taken", "cordi_wait_over_or_late", "load(&self->wait)", LIES,
                  CORDI_ENDED_ITSELF } },
};
static const struct model passer_by = {
    .name = "taker_and_one_who_comes_by",
    .tasks = { { "taker", take_once, FOR_EVER }, { "passer-by", pass_by, NULL }, { "giver", give, ONE } },
    STATE,
    .faults = { { "unlock_is_lost", "cordi_ring_let_go", "store(word, now)", LOST, 0 } },
};

int main(int argc, char **argv)
{
    return run_models(
        "interleave_semaphore",
        (const struct model *const[]){ &two_givers, &two_takers, &deadline, &cancelled, &passer_by, NULL }, argc, argv);
}
