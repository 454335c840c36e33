/* tests/interleave/park.c - park and wake: a wait ends once, a permit that was given is taken or still there, and
 * nobody touches a waiter that has returned. */
#include "runner/interleave.h"

#include "runner/tasks.h"

#include "rt/park.c"

enum { WAITER, MOST = 3, OBJECTS = 2 };

/* A semaphore, as plain as can be: what every object above park and wake does. */
struct object {
    _Atomic uint64_t bits;
    struct cordi_list waiters;
    uint64_t permits;
    uint64_t inside; /* tasks that hold the spin bit */
};

static struct {
    _Alignas(8) struct cord_task tasks[MODEL_TASKS];
    struct object objects[OBJECTS];
    uint64_t given, taken;
    int64_t answer; /* of the waiter's last wait */
} world;

static void lock(struct object *object)
{
    cordi_spin_lock(&object->bits, 1);
    must(object->inside++ == 0);
    model_step("uses the list");
}

static void unlock(struct object *object)
{
    object->inside--;
    cordi_spin_unlock(&object->bits, 1);
}

static bool take_or_list(struct object *object, struct cordi_waiter *node)
{
    lock(object);
    bool there = object->permits > 0;
    if (there)
        object->permits--;
    else
        cordi_list_append(&object->waiters, &node->link);
    unlock(object);
    return there;
}

static void unlist(struct object *object, struct cordi_waiter *node)
{
    lock(object);
    cordi_list_remove(&node->link);
    unlock(object);
}

/* Takes a permit of one of the first `count` objects. */
static __attribute__((noinline)) int take(int count, int cancellable, cord_deadline deadline)
{
    struct cordi_waiter nodes[OBJECTS];
    int listed = 0, rc = 0;
    cordi_wait_begin_at_bit(&nodes[0], cancellable, "a permit");
    for (; listed < count; listed++) {
        if (listed > 0)
            cordi_wait_join(&nodes[listed], &nodes[0]);
        if (take_or_list(&world.objects[listed], &nodes[listed]))
            break;
    }
    if (listed < count) {
        world.taken++;
        cordi_wait_abandon();
    } else
        rc = cordi_park(deadline);
    struct cordi_waiter *winner = rc == 0 ? cordi_wait_winner() : NULL; /* after abandon too: another may have come */
    bool won = false;
    for (int i = 0; i < listed; i++)
        if (winner == &nodes[i])
            won = true;
        else
            unlist(&world.objects[i], &nodes[i]);
    must(won == (winner != NULL));
    world.taken += won;
    return rc;
}

struct wait {
    int count, cancellable;
    cord_deadline deadline;
};

static void wait(void *arg)
{
    const struct wait *how = arg;
    for (int i = 0; i < model_rounds(MOST); i++)
        world.answer = take(how->count, how->cancellable, how->deadline);
    model_rest();
}

/* Begins a wait at no object, and waits for nothing but to be cancelled. */
static __attribute__((noinline)) int wait_to_be_cancelled(void)
{
    struct cord_task *self = cordi_self();
    struct cordi_waiter node;
    cordi_wait_begin(&node, CORDI_CANCELLABLE, "nothing");
    if (!cordi_wait_over(self))
        (void)cordi_thread_park(self, NULL, 0, CORD_FOREVER);
    return cordi_wait_result(self);
}

static void doze(void *arg)
{
    (void)arg;
    world.answer = wait_to_be_cancelled();
    model_rest();
}

static void give(void *arg)
{
    struct object *object = arg;
    for (int i = 0; i < model_rounds(MOST); i++) {
        struct cord_task *woken = NULL;
        struct cordi_list *item;
        lock(object);
        while (woken == NULL && (item = cordi_list_take(&object->waiters)) != NULL) {
            struct cordi_waiter *node = CORDI_ITEM(item, struct cordi_waiter, link);
            struct cord_task *task = node->task;
            if (cordi_waiter_claim(node))
                woken = task;
        }
        object->permits += woken == NULL;
        world.given++;
        unlock(object);
        if (woken != NULL)
            cordi_wake(woken);
    }
}

static void cancel(void *arg)
{
    (void)arg;
    cord_task_cancel(&world.tasks[WAITER]);
}

static void setup(void)
{
    model_tasks_begin(world.tasks);
    for (int i = 0; i < OBJECTS; i++)
        cordi_list_init(&world.objects[i].waiters);
}

static void check(void)
{
    model_tasks_check();
    for (int i = 0; i < OBJECTS; i++)
        must(cordi_list_empty(&world.objects[i].waiters));
    must(world.given == world.taken + world.objects[0].permits + world.objects[1].permits);
}

static void check_taken(void)
{
    check();
    must(world.answer == 0);
}

#define FIRST ((void *)&world.objects[0])
#define SECOND ((void *)&world.objects[1])
#define STATE .setup = setup, .check = check, .state = &world, .size = sizeof world
#define BEGIN "store(&self->wait"
#define CLAIM "(&task->wait, value)"

static const struct wait with_deadline = { 1, CORDI_CANCELLABLE, SOME_TIME };
static const struct wait for_ever = { 1, CORDI_CANCELLABLE, CORD_FOREVER };
static const struct wait firm = { 1, CORDI_UNCANCELLABLE, CORD_FOREVER };
static const struct wait at_two = { 2, CORDI_CANCELLABLE, SOME_TIME };

static const struct model two_wakers = {
    .name = "two_wakers_and_a_deadline",
    .tasks = { { "waiter", wait, (void *)&with_deadline }, { "waker A", give, FIRST }, { "waker B", give, FIRST } },
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 },
                { "owed_wake_is_not_taken", "cordi_wait_over_or_late", "load(&self->wait)", LIES, CORDI_ENDED_ITSELF },
                { "lock_lets_two_in", "cordi_spin_lock", "(word, bit)", LIES, 0 } },
};
static const struct model waker_and_canceller = {
    .name = "waker_and_canceller",
    .tasks = { { "waiter", wait, (void *)&for_ever }, { "waker", give, FIRST }, { "canceller", cancel, NULL } },
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 } },
};
static const struct model cancel_and_begin = {
    .name = "cancel_while_a_wait_begins",
    .tasks = { { "waiter", wait, (void *)&for_ever }, { "canceller", cancel, NULL } },
    STATE,
    .faults = { { "cancel_is_a_release", "cord_task_cancel", "store(&task->cancelled", WEAKER, 0 },
                { "park_does_not_look", "cordi_wait_over_or_late", "load(&self->cancelled)", LIES, 0 } },
};
static const struct model cancel_and_doze = {
    .name = "cancel_while_a_wait_at_no_object_begins",
    .tasks = { { "waiter", doze, NULL }, { "canceller", cancel, NULL } },
    STATE,
    .faults = { { "begin_is_a_release", "cordi_wait_enter", BEGIN, WEAKER, 0 },
                { "cancel_is_a_release", "cord_task_cancel", "store(&task->cancelled", WEAKER, 0 },
                { "begin_does_not_look", "cordi_wait_enter", "load(&self->cancelled)", LIES, 0 } },
};
static const struct model uncancellable = {
    .name = "wait_that_may_not_be_cancelled",
    .tasks = { { "waiter", wait, (void *)&firm }, { "waker", give, FIRST }, { "canceller", cancel, NULL } },
    .setup = setup,
    .check = check_taken,
    .state = &world,
    .size = sizeof world,
    .faults = { { "wait_is_not_begun", "cordi_wait_enter", BEGIN, LOST, 0 } },
};
static const struct model two_objects = {
    .name = "one_wait_at_two_objects",
    .tasks = { { "waiter", wait, (void *)&at_two }, { "waker A", give, FIRST }, { "waker B", give, SECOND } },
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 } },
};

int main(int argc, char **argv)
{
    return run_models("interleave_park",
                      (const struct model *const[]){ &two_wakers, &waker_and_canceller, &cancel_and_begin,
                                                     &cancel_and_doze, &uncancellable, &two_objects, NULL },
                      argc, argv);
}
