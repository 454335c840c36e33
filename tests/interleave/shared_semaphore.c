/* tests/interleave/shared_semaphore.c - the semaphore of several processes: a permit that was given is taken or still
 * there, who leaves takes none, and nobody sleeps beside one: also when the giver is killed between giving and waking,
 * or another taker. */
#include "runner/interleave.h"

#include "runner/family.h"

#include "sync/shared.c"

#include "sync/shared_semaphore.c"

enum { FIRST, ROUNDS = 3 };

static struct {
    _Alignas(64) struct model_family family;
    struct cord_task tasks[MODEL_TASKS];
    struct shared_sem sem;
    uint64_t given, taken;
} world;

static void take_once(void *arg)
{
    const cord_deadline *deadline = arg;
    int rc = cordi_shared_sem_acquire(&world.sem.base, *deadline);
    must(rc == 0 || rc == (deadline->at != 0 ? -ETIMEDOUT : -ECANCELED));
    must(rc != -ECANCELED || world.tasks[model_me()].cancelled);
    world.taken += rc == 0;
}

static void take(void *arg)
{
    for (int i = 0; i < model_rounds(ROUNDS); i++)
        take_once(arg);
}

static void give_once(void *arg)
{
    must(cordi_shared_sem_release(&world.sem.base, *(const uint32_t *)arg) == 0);
    world.given += *(const uint32_t *)arg;
}

static void give(void *arg)
{
    for (int i = 0; i < model_rounds(ROUNDS); i++)
        give_once(arg);
}

/* Kills, and gives what the other taker needs if that was not given, or went with the killed one. */
static void kill_and_give(void *arg)
{
    const uint32_t one = 1;
    model_killer(arg);
    if (cordi_shared_sem_value(&world.sem.base) == 0)
        give_once((void *)&one);
}

static void setup(void)
{
    model_family_begin(&world.family, world.tasks);
}

static void setup_one_process(void)
{
    setup();
    world.family.process[1] = 0;
}

static void check(void)
{
    must(world.given == world.taken + cordi_shared_sem_value(&world.sem.base));
}

/* Who was killed may have taken one, or given one, without having said so. */
static void check_but_one(void)
{
    uint64_t seen = world.taken + cordi_shared_sem_value(&world.sem.base);
    must(world.given <= seen + 1 && seen <= world.given + 1);
}

static const cord_deadline for_ever = { 0 }, some_time = SOME_TIME;
static const uint32_t one = 1, two = 2;
static const uint64_t first = FIRST;

#define FOR_EVER (void *)&for_ever
#define FOR_SOME_TIME (void *)&some_time
#define ONE (void *)&one
#define TWO (void *)&two
#define THE_FIRST (void *)&first
#define STATE .check = check, .state = &world, .size = sizeof world

static const struct model two_givers = {
    .name = "two_takers_and_two_givers",
    .tasks = { { "taker A", take, FOR_EVER },
               { "taker B", take, FOR_EVER },
               { "giver A", give, ONE },
               { "giver B", give, ONE } },
    .setup = setup,
    STATE,
    .faults = { { "wake_is_not_sent", "cordi_word_wake", "load(&family->mute)", LIES, 1 },
                { "permit_is_taken_twice", "try_take", "(state_of(sem), now - 1)", LOST, 0 },
                { "giving_is_torn", "cordi_shared_sem_release", "(now & MOST) + count", TORN, 0 },
                { "taker_does_not_look_again", "try_take", "load(state_of(sem))", LIES, 0 } },
};
static const struct model deadline = {
    .name = "takers_and_a_deadline",
    .tasks = { { "taker A", take, FOR_SOME_TIME }, { "taker B", take, FOR_EVER }, { "giver", give, TWO } },
    .setup = setup,
    STATE,
    .faults = { { "wake_is_not_sent", "cordi_word_wake", "load(&family->mute)", LIES, 1 } },
};
static const struct model one_process = {
    .name = "takers_of_one_process_and_a_deadline",
    .tasks = { { "taker A", take, FOR_SOME_TIME }, { "taker B", take, FOR_EVER }, { "giver", give, TWO } },
    .setup = setup_one_process,
    STATE,
    .faults = { { "gate_is_kept", "cordi_lock_give", "(_Atomic uint64_t *)&gate->word", LOST, 0 } },
};
static const struct model cancelled = {
    .name = "taker_is_cancelled",
    .tasks = { { "taker A", take, FOR_EVER },
               { "taker B", take, FOR_EVER },
               { "canceller", model_canceller, THE_FIRST },
               { "giver", give, TWO } },
    .setup = setup_one_process,
    STATE,
    .faults = { { "wake_is_not_sent", "cordi_word_wake", "load(&family->mute)", LIES, 1 } },
};
static const struct model giver_dies = {
    .name = "giver_is_killed",
    .tasks = { { "giver", give_once, ONE }, { "taker", take_once, FOR_EVER }, { "killer", kill_and_give, THE_FIRST } },
    .setup = setup,
    .check = check_but_one,
    .state = &world,
    .size = sizeof world,
    .faults = { { "death_wakes_nobody", "cordi_word_wake", "load(&family->mute)", LIES, 1 } },
};
static const struct model taker_dies = {
    .name = "taker_is_killed",
    .tasks = { { "taker A", take_once, FOR_EVER },
               { "taker B", take_once, FOR_EVER },
               { "giver", give_once, ONE },
               { "killer", kill_and_give, THE_FIRST } },
    .setup = setup,
    .check = check_but_one,
    .state = &world,
    .size = sizeof world,
};

int main(int argc, char **argv)
{
    return run_models("interleave_shared_semaphore",
                      (const struct model *const[]){ &two_givers, &deadline, &one_process, &cancelled, &giver_dies,
                                                     &taker_dies, NULL },
                      argc, argv);
}
