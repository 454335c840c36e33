/* tests/interleave/shared_lock.c - the lock of several processes: one holder; nobody waits for ever, also when the
 * holder, a waiter or the heir is killed at any point; who takes it after a holder that was killed is told, and nobody
 * else; a waiter that gives up has no lock on its way.
 *
 * Each process has a task, and so its gate is free. A watch calls back while its task sleeps or goes to sleep: what
 * comes after that is cordi_owner_unwatch(), which waits for such a call. No time passes; a nap or a wait with a
 * deadline is over whenever the search likes. Deaths are counted only where a model says so: the watches alone must do.
 */
#include "runner/interleave.h"

#include <errno.h>
#include <string.h>

#include "runner/family.h"

#include "sync/shared.c"

enum { FIRST };

static struct {
    _Alignas(64) struct model_family family;
    struct cord_task tasks[MODEL_TASKS];
    struct cordi_shared_lock lock;
    struct {
        uint64_t owner; /* 0: none */
        void (*died)(void *arg);
        void *arg;
    } watches[MODEL_TASKS];
    uint64_t inside;  /* the task that has the lock, from 1 */
    uint64_t losses;  /* after how many a waiter becomes heir */
    uint64_t to_tell; /* the killed one held the lock, and nobody has taken it since */
} world;

#define LOSSES (int)world.losses
#include "sync/shared_lock.c"

static const cord_deadline for_ever = { 0 }, some_time = SOME_TIME, nearly_over = { 2 }, not = CORD_NOWAIT;

static bool is_killed(uint64_t process)
{
    return world.family.killed[process] != 0;
}

/* --- stand-ins --- */

int64_t cord_left(cord_deadline deadline)
{
    return deadline.at == 0 ? INT64_MAX : deadline.at == some_time.at ? NAP : 0;
}

cord_deadline cord_in(cord_span span)
{
    (void)span;
    return some_time;
}

int cordi_identity_open(uint64_t identity)
{
    model_step("opens the owner");
    return is_killed(identity - 1) ? -ESRCH : (int)identity;
}

int cordi_owner_watch(int own_pidfd, void (*died)(void *arg), void *arg)
{
    int me = model_me();
    must(world.watches[me].owner == 0);
    world.watches[me].owner = (uint64_t)own_pidfd;
    world.watches[me].died = died;
    world.watches[me].arg = arg;
    return me + 1;
}

void cordi_owner_unwatch(int watch)
{
    must(watch == model_me() + 1);
    memset(&world.watches[watch - 1], 0, sizeof world.watches[0]);
}

static bool is_due(int task)
{
    return world.watches[task].died != NULL && is_killed(world.watches[task].owner - 1);
}

static bool is_woken_or_due(void *arg)
{
    int task = (int)(intptr_t)arg;
    return !model_is_asleep(task) || is_due(task);
}

static void call_due(int task)
{
    if (is_due(task)) {
        void (*died)(void *arg) = world.watches[task].died;
        world.watches[task].died = NULL;
        died(world.watches[task].arg);
    }
}

int cordi_sleep_on(const struct cordi_sleep *sleep, int cancellable, cord_deadline deadline)
{
    int me = model_me();
    must(cancellable == CORDI_UNCANCELLABLE);
    model_step("looks at the word and goes to sleep");
    call_due(me);
    if (*sleep->word != sleep->expected || world.family.deaths != sleep->deaths)
        return 0;
    world.family.asleep[me] = sleep->word;
    if (deadline.at != 0)
        model_step("sleeps at the word for some time");
    else
        model_wait(is_woken_or_due, (void *)(intptr_t)me, "sleeps at the word");
    if (model_is_asleep(me) && is_due(me)) {
        call_due(me);
        if (deadline.at == 0)
            model_wait(is_woken_or_due, (void *)(intptr_t)me, "sleeps on at the word");
        else
            model_step("sleeps on at the word for some time");
    }
    bool woken = !model_is_asleep(me);
    world.family.asleep[me] = NULL;
    return woken ? 0 : -ETIMEDOUT;
}

/* --- tasks --- */

static bool acquire(cord_deadline deadline)
{
    int rc = cordi_shared_lock_acquire(&world.lock, deadline);
    if (rc < 0) {
        must(rc == (cordi_nowait(deadline) ? -EAGAIN : -ETIMEDOUT) && deadline.at != 0);
        must(world.lock.heir != cordi_identity_self());
        return false;
    }
    must(world.inside == 0 || is_killed(world.inside - 1));
    must((rc == CORD_OWNER_DIED) == (world.to_tell != 0));
    world.to_tell = 0;
    world.inside = (uint64_t)model_me() + 1;
    return true;
}

static void release(void)
{
    must(world.inside == (uint64_t)model_me() + 1);
    world.inside = 0;
    must(cordi_shared_lock_release(&world.lock) == 0);
}

static void use_once(void *arg)
{
    if (acquire(*(const cord_deadline *)arg)) {
        model_step("uses what is guarded");
        release();
    }
}

static void use(void *arg)
{
    use_once(arg);
    use_once(arg);
    if (model_rounds(2) == 2)
        use_once(arg);
}

static void use_in_deep_runs(void *arg)
{
    if (model_rounds(2) == 2)
        use_once(arg);
}

/* --- killers of the first --- */

static void kill_first(void *arg)
{
    (void)arg;
    model_step("kills the first");
    model_end_process(FIRST);
    world.to_tell = (world.lock.state & (IDENTITY | HANDED)) == FIRST + 1;
}

static void kill_and_count(void *arg)
{
    kill_first(arg);
    model_count_death();
}

/* Who does not wait finds out, too. */
static void kill_and_try(void *arg)
{
    kill_first(arg);
    must(acquire(CORD_NOWAIT));
    release();
}

/* --- models --- */

static void setup(void)
{
    model_family_begin(&world.family, world.tasks);
    cordi_shared_lock_init(&world.lock);
}

static void setup_patient(void)
{
    setup();
    world.losses = 1;
}

static void check(void)
{
    uint64_t owner = world.lock.state & PID, heir = world.lock.heir;
    must(owner == 0 || is_killed(owner - 1));
    must(heir == 0 || is_killed(heir - 1));
    for (int i = 0; i < MODEL_TASKS; i++)
        must(is_killed((uint64_t)i) || (world.watches[i].owner == 0 && world.family.own[i].gate[0].word == 0));
}

#define FOR_EVER (void *)&for_ever
#define FOR_SOME_TIME (void *)&some_time
#define NOT (void *)&not
#define NEARLY_OVER (void *)&nearly_over
#define STATE .check = check, .state = &world, .size = sizeof world

#define NO_WAKE "wake_is_not_sent", "cordi_word_wake", "load(&family->mute)", LIES, 1

static const struct model two = {
    .name = "two_processes",
    .tasks = { { "A", use, FOR_EVER }, { "B", use, FOR_EVER } },
    .setup = setup,
    STATE,
    .faults = { { NO_WAKE },
                { "taking_is_torn", "try_take", "(&lock->state, cordi_identity_self())", TORN, 0 },
                { "waiter_is_not_noted", "take_in_turn", "(&lock->state, now | WAITERS)", LIES, 1 } },
};
static const struct model patient = {
    .name = "two_patient_processes",
    .tasks = { { "A", use, FOR_EVER }, { "B", use, FOR_EVER } },
    .setup = setup_patient,
    STATE,
    .faults = { { NO_WAKE } },
};
static const struct model three = {
    .name = "three_processes",
    .tasks = { { "A", use_once, FOR_EVER }, { "B", use_once, FOR_EVER }, { "C", use_once, FOR_EVER } },
    .setup = setup,
    STATE,
    .faults = { { NO_WAKE },
                { "inheriting_is_torn", "inherit", "(&lock->state, now & ~HANDED)", TORN, 0 },
                { "giving_is_torn", "cordi_shared_lock_release", "(&lock->state, heir", TORN, 0 } },
};
static const struct model deadline = {
    .name = "one_has_a_deadline",
    .tasks = { { "A", use_once, FOR_EVER }, { "B", use_once, FOR_SOME_TIME }, { "C", use_in_deep_runs, FOR_EVER } },
    .setup = setup,
    STATE,
    .faults = { { "name_is_not_taken_back", "renounce", "(&lock->heir, 0)", LIES, 1 } },
};
static const struct model nearly = {
    .name = "one_has_a_short_deadline",
    .tasks = { { "A", use, FOR_EVER }, { "B", use, NEARLY_OVER } },
    .setup = setup,
    STATE,
    .faults = { { "lock_on_its_way_is_left", "renounce", "(&lock->heir, 0)", LIES, 1 } },
};
static const struct model killed = {
    .name = "one_of_two_is_killed",
    .tasks = { { "A", use, FOR_EVER }, { "B", use, FOR_EVER }, { "killer", kill_first, NULL } },
    .setup = setup,
    STATE,
    .faults = { { "dead_keep_it", "bury", "(&lock->state, now & HANDED", LIES, 1 } },
};
static const struct model killed_patient = {
    .name = "one_of_two_patient_is_killed",
    .tasks = { { "A", use, FOR_EVER }, { "B", use, FOR_EVER }, { "killer", kill_and_count, NULL } },
    .setup = setup_patient,
    STATE,
};
static const struct model killed_three = {
    .name = "one_of_three_is_killed",
    .tasks = { { "A", use_once, FOR_EVER },
               { "B", use_once, FOR_EVER },
               { "C", use_once, NOT },
               { "killer", kill_first, NULL } },
    .setup = setup,
    STATE,
    .faults = { { "burying_is_torn", "bury", "(&lock->state, now & HANDED", TORN, 0 } },
};
static const struct model killed_deadline = {
    .name = "one_is_killed_and_one_has_a_deadline",
    .tasks = { { "A", use_once, FOR_EVER },
               { "B", use_once, FOR_SOME_TIME },
               { "C", use_in_deep_runs, FOR_EVER },
               { "killer", kill_first, NULL } },
    .setup = setup,
    STATE,
};
static const struct model tried = {
    .name = "one_is_killed_and_one_tries",
    .tasks = { { "A", use, FOR_EVER }, { "killer", kill_and_try, NULL } },
    .setup = setup,
    STATE,
};

int main(int argc, char **argv)
{
    return run_models("interleave_shared_lock",
                      (const struct model *const[]){ &two, &patient, &three, &deadline, &nearly, &killed,
                                                     &killed_patient, &killed_three, &killed_deadline, &tried, NULL },
                      argc, argv);
}
