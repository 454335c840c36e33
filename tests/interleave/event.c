/* tests/interleave/event.c - the event and its ring of waiters: set wakes everyone who waits at that moment, however
 * soon a clear follows, and a waiter that leaves by itself is in no ring any more. */
#include "runner/interleave.h"

#include "runner/tasks.h"

#include "rt/park.c"

#include "sync/event.c"

enum { WAITER, MOST = 3 };

static struct {
    _Alignas(8) struct cord_task tasks[MODEL_TASKS];
    cord_event event;
    int64_t answer; /* of the first waiter's last wait */
} world;

/* Events between processes are other sources. */
void cordi_shared_event_set(cord_event *event)
{
    must(event == NULL);
}

void cordi_shared_event_clear(cord_event *event)
{
    must(event == NULL);
}

bool cordi_shared_event_is_set(const cord_event *event)
{
    must(event == NULL);
    return false;
}

int cordi_shared_event_wait(cord_event *event, cord_deadline deadline)
{
    must(event == NULL);
    return (int)deadline.at;
}

static void wait_once(void *arg)
{
    int rc = cord_event_wait(&world.event, *(const cord_deadline *)arg);
    if (model_me() == WAITER)
        world.answer = rc;
    model_rest();
}

static void wait(void *arg)
{
    for (int i = 1; i < model_rounds(MOST); i++)
        (void)!cord_event_wait(&world.event, *(const cord_deadline *)arg);
    wait_once(arg);
}

static void set(void *arg)
{
    (void)arg;
    cord_event_set(&world.event);
}

/* Or was: the word may be one that is about to change. */
static bool is_first(void *task)
{
    const struct cordi_waiter *first = cordi_ring_first(world.event.word);
    return first != NULL && first->task == task;
}

static void set_and_clear(void *arg)
{
    if (arg != NULL)
        model_wait(is_first, arg, "waiter A is the first one");
    cord_event_set(&world.event);
    cord_event_clear(&world.event);
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
    must(cordi_ring_first(world.event.word) == NULL);
    must((world.event.word & CORDI_RING_SPIN) == 0);
}

static void check_woken(void)
{
    check();
    must(world.answer == 0);
}

static const cord_deadline for_ever = { 0 }, some_time = SOME_TIME;

#define FOR_EVER (void *)&for_ever
#define FOR_SOME_TIME (void *)&some_time
#define STATE .setup = setup, .state = &world, .size = sizeof world

static const struct model two_waiters = {
    .name = "two_waiters_and_a_set",
    .tasks = { { "waiter A", wait, FOR_EVER }, { "waiter B", wait, FOR_EVER }, { "setter", set, NULL } },
    .check = check_woken,
    STATE,
    .faults = { { "set_is_torn", "cord_event_set", "(word_of(event), SET)", TORN, 0 },
                { "waiter_does_not_look_again", "cordi_ring_lock", "load(word)", LIES, 0 },
                { "lock_lets_two_in", "cordi_spin_lock", "(word, bit)", LIES, 0 } },
};
static const struct model two_setters = {
    .name = "two_setters_and_a_deadline",
    .tasks = { { "waiter", wait, FOR_SOME_TIME }, { "setter A", set_and_clear, NULL }, { "setter B", set, NULL } },
    .check = check,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", "(&task->wait, value)", TORN, 0 } },
};
static const struct model clear_follows = {
    .name = "clear_that_follows_at_once",
    .tasks = { { "waiter A", wait_once, FOR_EVER },
               { "waiter B", wait, FOR_SOME_TIME },
               { "setter", set_and_clear, &world.tasks[WAITER] } },
    .check = check_woken,
    STATE,
    .faults = { { "sees_it_set_too_soon", "cordi_ring_lock", "load(word)", LIES, 1 } },
};
static const struct model cancelled = {
    .name = "set_and_cancel",
    .tasks = { { "waiter A", wait, FOR_EVER }, { "canceller", cancel, NULL }, { "setter", set, NULL } },
    .check = check,
    STATE,
    .faults = { { "owed_wake_is_not_taken", "cordi_wait_over", "load(&self->wait)", LIES, CORDI_ENDED_ITSELF } },
};

int main(int argc, char **argv)
{
    return run_models("interleave_event",
                      (const struct model *const[]){ &two_waiters, &two_setters, &clear_follows, &cancelled, NULL },
                      argc, argv);
}
