/* tests/interleave/shared_event.c - the event of several processes: a set wakes all who wait at that moment, however
 * soon a clear follows, and also when who set it is killed before it has woken anybody. */
#include "runner/interleave.h"

#include "runner/family.h"

#include "sync/shared.c"

#include "sync/shared_event.c"

enum { FIRST, ROUNDS = 3 };

static struct {
    _Alignas(64) struct model_family family;
    struct cord_task tasks[MODEL_TASKS];
    cord_event event;
    uint64_t cleared;
} world;

static void wait_once(void *arg)
{
    const cord_deadline *deadline = arg;
    int rc = cordi_shared_event_wait(&world.event, *deadline);
    must(rc == 0 || rc == (deadline->at != 0 ? -ETIMEDOUT : -ECANCELED));
    must(rc != -ECANCELED || world.tasks[model_me()].cancelled);
}

static void set_event(void *arg)
{
    (void)arg;
    cordi_shared_event_set(&world.event);
}

static bool two_sleep(void *arg)
{
    (void)arg;
    return model_is_asleep(0) && model_is_asleep(1);
}

/* When both wait: none of them may miss it. */
static void set_and_clear(void *arg)
{
    (void)arg;
    model_wait(two_sleep, NULL, "both wait");
    for (int i = 0; i < model_rounds(ROUNDS); i++) {
        cordi_shared_event_set(&world.event);
        cordi_shared_event_clear(&world.event);
    }
}

static bool first_waits(void *arg)
{
    (void)arg;
    return (world.event.changes & WAITERS) != 0;
}

/* When the first one has said that it will sleep. */
static void set_and_clear_soon(void *arg)
{
    (void)arg;
    model_wait(first_waits, NULL, "the first one has come");
    cordi_shared_event_set(&world.event);
    cordi_shared_event_clear(&world.event);
    world.cleared = 1;
}

static bool is_cleared(void *arg)
{
    (void)arg;
    return world.cleared != 0;
}

static void wait_after(void *arg)
{
    model_wait(is_cleared, NULL, "the event is clear again");
    wait_once(arg);
}

/* At any time, and in the end it is set. */
static void clear_and_set(void *arg)
{
    (void)arg;
    for (int i = 0; i < model_rounds(ROUNDS); i++) {
        cordi_shared_event_clear(&world.event);
        cordi_shared_event_set(&world.event);
    }
}

/* The setter may have been killed before it set anything: then nobody has to wake up. */
static void kill_and_look(void *arg)
{
    model_killer(arg);
    if (!cordi_shared_event_is_set(&world.event))
        cordi_shared_event_set(&world.event);
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

static void check_set(void)
{
    must(cordi_shared_event_is_set(&world.event));
}

static void check_clear(void)
{
    must(!cordi_shared_event_is_set(&world.event));
}

static const cord_deadline for_ever = { 0 }, some_time = SOME_TIME;
static const uint64_t first = FIRST;

#define FOR_EVER (void *)&for_ever
#define FOR_SOME_TIME (void *)&some_time
#define THE_FIRST (void *)&first
#define STATE .state = &world, .size = sizeof world
#define SET_IT "(state_of(event), next)"
#define NO_WAKE "wake_is_not_sent", "cordi_word_wake", "load(&family->mute)", LIES, 1

static const struct model waiters = {
    .name = "two_waiters_and_a_set_that_is_cleared",
    .tasks = { { "waiter A", wait_once, FOR_EVER },
               { "waiter B", wait_once, FOR_EVER },
               { "setter", set_and_clear, NULL } },
    .setup = setup,
    .check = check_clear,
    STATE,
    .faults = { { NO_WAKE },
                { "set_is_not_counted", "cordi_shared_event_set", SET_IT, LOST, 0 },
                { "waiter_does_not_look", "sleep_until_set", "load(state_of(event))", LIES, 2 } },
};
static const struct model soon = {
    .name = "a_set_that_is_cleared_before_the_waiter_sleeps",
    .tasks = { { "waiter A", wait_once, FOR_EVER },
               { "waiter B", wait_after, FOR_SOME_TIME },
               { "setter", set_and_clear_soon, NULL } },
    .setup = setup,
    .check = check_clear,
    STATE,
    .faults = { { "set_is_not_counted", "cordi_shared_event_set", SET_IT, LOST, 0 } },
};
static const struct model setters = {
    .name = "two_setters_and_clears",
    .tasks = { { "waiter A", wait_once, FOR_EVER },
               { "waiter B", wait_once, FOR_EVER },
               { "setter A", clear_and_set, NULL },
               { "setter B", clear_and_set, NULL } },
    .setup = setup,
    .check = check_set,
    STATE,
    .faults = { { NO_WAKE }, { "set_is_torn", "cordi_shared_event_set", SET_IT, TORN, 0 } },
};
static const struct model one_process = {
    .name = "waiters_of_one_process_and_a_deadline",
    .tasks = { { "waiter A", wait_once, FOR_SOME_TIME },
               { "waiter B", wait_once, FOR_EVER },
               { "setter", clear_and_set, NULL } },
    .setup = setup_one_process,
    .check = check_set,
    STATE,
    .faults = { { NO_WAKE }, { "gate_is_kept", "cordi_lock_give", "(_Atomic uint64_t *)&gate->word", LOST, 0 } },
};
static const struct model cancelled = {
    .name = "waiter_is_cancelled",
    .tasks = { { "waiter A", wait_once, FOR_EVER },
               { "waiter B", wait_once, FOR_EVER },
               { "canceller", model_canceller, THE_FIRST },
               { "setter", clear_and_set, NULL } },
    .setup = setup_one_process,
    .check = check_set,
    STATE,
    .faults = { { NO_WAKE } },
};
static const struct model setter_dies = {
    .name = "setter_is_killed",
    .tasks = { { "setter", set_event, NULL },
               { "waiter A", wait_once, FOR_EVER },
               { "waiter B", wait_once, FOR_EVER },
               { "killer", kill_and_look, THE_FIRST } },
    .setup = setup,
    .check = check_set,
    STATE,
    .faults = { { NO_WAKE } },
};
static const struct model waiter_dies = {
    .name = "waiter_is_killed",
    .tasks = { { "waiter A", wait_once, FOR_EVER },
               { "waiter B", wait_once, FOR_EVER },
               { "setter", clear_and_set, NULL },
               { "killer", model_killer, THE_FIRST } },
    .setup = setup,
    .check = check_set,
    STATE,
};

int main(int argc, char **argv)
{
    return run_models("interleave_shared_event",
                      (const struct model *const[]){ &waiters, &soon, &setters, &one_process, &cancelled, &setter_dies,
                                                     &waiter_dies, NULL },
                      argc, argv);
}
