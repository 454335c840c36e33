/* tests/interleave/shared_condition.c - the condition of several processes: whoever waits when the lock is taken is
 * found by a notify, in order; none is spent in vain and nobody who is served sleeps on, whoever of a process leads,
 * gives up or is killed; a wait returns with the lock, however it ended. */
#include "runner/interleave.h"

#include "runner/family.h"

#include "rt/park.c"

#include "sync/shared.c"

#define TICKETS 3
#include "sync/shared_condition.c"

enum { FIRST, SECOND, THIRD };

static const cord_deadline for_ever = { 0 }, some_time = SOME_TIME;
static const uint64_t first = FIRST, second = SECOND;
static const uint32_t none = 0, one = 1, two = 2;

static struct {
    _Alignas(64) struct model_family family;
    struct cord_task tasks[MODEL_TASKS];
    struct cordi_shared_lock lock;
    struct shared_condition condition;
    uint64_t items, put, taken; /* under the lock */
    uint64_t notified, woken, slept, ended[MODEL_TASKS];
    uint64_t order[MODEL_TASKS], came, went; /* which waiters came, and how many of them were woken, in that order */
} world;

static void enter(void)
{
    must(cord_lock_acquire(&world.lock.base, CORD_FOREVER) >= 0);
}

static void leave_lock(void)
{
    must(cord_lock_release(&world.lock.base) == 0);
}

static int wait_there(cord_deadline deadline)
{
    int rc = cordi_shared_condition_wait(&world.condition.base, &world.lock.base, deadline);
    must(cordi_shared_lock_mine(&world.lock));
    must(rc >= 0 || rc == (deadline.at != 0 ? -ETIMEDOUT : -ECANCELED));
    must(rc != -ECANCELED || world.tasks[model_me()].cancelled);
    world.woken += rc >= 0;
    return rc;
}

/* Takes an item, or gives up where it may. */
static void get(void *arg)
{
    int rc = 0;
    enter();
    while (world.items == 0 && rc >= 0)
        rc = wait_there(*(const cord_deadline *)arg);
    if (world.items > 0) {
        world.items--;
        world.taken++;
    }
    leave_lock();
    world.ended[model_me()] = 1;
    model_rest();
}

static void notify(uint32_t count)
{
    int rc = cordi_shared_condition_notify(&world.condition.base, count);
    must(rc >= 0 && rc <= (int)count);
    world.notified += (uint64_t)rc;
}

static void put_some(uint32_t count)
{
    enter();
    world.items += count;
    world.put += count;
    notify(count);
    leave_lock();
}

static void put(void *arg)
{
    put_some(*(const uint32_t *)arg);
}

static void put_twice(void *arg)
{
    put(arg);
    put(arg);
}

static void cancel(void *arg)
{
    cord_task_cancel(&world.tasks[*(const uint64_t *)arg]);
}

/* What the killed one may not have put. */
static void kill_and_put_two(void *arg)
{
    model_killer(arg);
    put_some(2);
}

/* The killed one must not be served in place of the other. */
static void kill_and_put_one(void *arg)
{
    model_killer(arg);
    put_some(1);
}

/* The second waiter, and what comes before there are two, take long: that is for a deep run. */
static void get_when_deep(void *arg)
{
    if (model_rounds(2) == 2)
        get(arg);
}

static bool both_sleep(void *arg)
{
    const struct cordi_shared_own *own = world.family.own;
    (void)arg;
    return model_is_asleep(FIRST) != model_is_asleep(SECOND) && own->bits == 0 && !cordi_list_empty(&own->followers);
}

static void cancel_later(void *arg)
{
    if (model_rounds(2) < 2)
        model_wait(both_sleep, NULL, "both sleep");
    world.slept = 1;
    cancel(arg);
}

static bool both_slept(void *arg)
{
    (void)arg;
    return world.slept != 0;
}

static void put_later(void *arg)
{
    if (model_rounds(2) < 2)
        model_wait(both_slept, NULL, "both slept");
    put(arg);
}

/* Waits once, for its turn. */
static void wait_in_turn(void *arg)
{
    (void)arg;
    enter();
    uint64_t turn = world.came++;
    must(wait_there(CORD_FOREVER) == 0);
    world.order[turn] = ++world.went;
    leave_lock();
    model_rest();
}

static bool both_came(void *arg)
{
    (void)arg;
    return world.came == 2 && world.lock.state == 0;
}

static bool one_went(void *arg)
{
    (void)arg;
    return world.went == 1 && world.lock.state == 0;
}

static void notify_in_turn(void *arg)
{
    (void)arg;
    model_wait(both_came, NULL, "both wait");
    enter();
    notify(1);
    leave_lock();
    model_wait(one_went, NULL, "one of them was woken");
    must(world.order[0] == 1);
    enter();
    notify(1);
    leave_lock();
}

/* A leads, B and C follow, in this order. */
static bool so_many_follow(void *arg)
{
    const struct cordi_list *followers = &world.family.own->followers;
    uint64_t wanted = *(const uint32_t *)arg, count = 0;
    for (const struct cordi_list *at = followers->next; at != NULL && at != followers; at = at->next)
        count++;
    return count == wanted && world.family.own->bits == 0 && model_is_asleep(FIRST);
}

static void get_after(void *arg)
{
    model_wait(so_many_follow, arg, "those before it sleep");
    get((void *)&for_ever);
}

static bool has_ended(void *arg)
{
    return world.ended[*(const uint64_t *)arg] != 0;
}

static void put_after(const uint64_t *waiter, uint32_t count)
{
    if (model_rounds(2) < 2)
        model_wait(has_ended, (void *)waiter, "that one has left");
    put_some(count);
}

/* A passes its lead on, to one that does not need it any more, or will not. */
static void cancel_and_put(void *arg)
{
    model_wait(so_many_follow, (void *)&two, "all sleep");
    cancel(arg);
    put_after(&first, 1);
    put_after(&second, 2);
}

static void setup(void)
{
    model_family_begin(&world.family, world.tasks);
    world.lock.base.word = CORDI_RING_SHARED;
    world.condition.base.word = CORDI_RING_SHARED;
}

static void setup_one_process(void)
{
    setup();
    world.family.process[SECOND] = FIRST;
}

static void setup_three(void)
{
    setup_one_process();
    world.family.process[THIRD] = FIRST;
}

static void check_own(const struct cordi_shared_own *own)
{
    must(own->bits == 0 && !own->led);
    must(own->followers.next == NULL || cordi_list_empty(&own->followers));
}

static void check_items(void)
{
    must(world.lock.state == 0);
    must(world.put >= world.taken + world.items);
}

static void check(void)
{
    model_tasks_check();
    check_items();
    for (int i = 0; i < MODEL_TASKS; i++)
        check_own(&world.family.own[i]);
    must(world.condition.first == world.condition.next && world.condition.base.lock == 0);
    must(world.put == world.taken + world.items);
    must(world.notified == world.woken);
}

#define FOR_EVER (void *)&for_ever
#define FOR_SOME_TIME (void *)&some_time
#define THE_FIRST (void *)&first
#define NONE (void *)&none
#define ONE (void *)&one
#define TWO (void *)&two
#define STATE .state = &world, .size = sizeof world
#define NO_WAKE "wake_is_not_sent", "cordi_word_wake", "load(&family->mute)", LIES, 1
#define NO_BELL "bell_does_not_change", "cordi_shared_condition_notify", "add(&condition->bell", LOST, 0

static const struct model two_processes = {
    .name = "waiters_of_two_processes",
    .tasks = { { "waiter A", get, FOR_EVER }, { "waiter B", get, FOR_EVER }, { "notifier", put_twice, ONE } },
    .setup = setup,
    .check = check,
    STATE,
    .faults = { { NO_WAKE }, { NO_BELL } },
};
static const struct model one_process = {
    .name = "waiters_of_one_process",
    .tasks = { { "waiter A", get, FOR_EVER }, { "waiter B", get, FOR_EVER }, { "notifier", put, TWO } },
    .setup = setup_one_process,
    .check = check,
    STATE,
    .faults = { { NO_WAKE }, { NO_BELL }, { "leader_does_not_look", "served", "load(ticket)", LIES, 0 } },
};
static const struct model in_turn = {
    .name = "notified_in_turn",
    .tasks = { { "waiter A", wait_in_turn, NULL },
               { "waiter B", wait_in_turn, NULL },
               { "notifier", notify_in_turn, NULL } },
    .setup = setup_one_process,
    .check = check,
    STATE,
    .faults = { { NO_WAKE } },
};
static const struct model deadline = {
    .name = "one_of_a_process_has_a_deadline",
    .tasks = { { "waiter A", get, FOR_SOME_TIME }, { "waiter B", get, FOR_EVER }, { "notifier", put, TWO } },
    .setup = setup_one_process,
    .check = check,
    STATE,
    .faults = { { NO_WAKE }, { "claim_is_no_claim", "cordi_wait_swap", "(&task->wait, value)", TORN, 0 } },
};
static const struct model cancelled = {
    .name = "one_of_a_process_is_cancelled",
    .tasks = { { "waiter A", get, FOR_EVER },
               { "waiter B", get, FOR_EVER },
               { "canceller", cancel_later, THE_FIRST },
               { "notifier", put_later, TWO } },
    .setup = setup_one_process,
    .check = check,
    STATE,
    .faults = { { "owed_wake_is_not_taken", "cordi_wait_over", "load(&self->wait)", LIES, CORDI_ENDED_ITSELF } },
};
static const struct model passed_on = {
    .name = "lead_is_passed_on",
    .tasks = { { "waiter A", get, FOR_EVER },
               { "waiter B", get_after, NONE },
               { "waiter C", get_after, ONE },
               { "notifier", cancel_and_put, THE_FIRST } },
    .setup = setup_three,
    .check = check,
    STATE,
    .faults = { { NO_BELL } },
};
static const struct model notifier_dies = {
    .name = "notifier_is_killed",
    .tasks = { { "notifier", put, TWO },
               { "waiter A", get, FOR_EVER },
               { "waiter B", get_when_deep, FOR_EVER },
               { "killer", kill_and_put_two, THE_FIRST } },
    .setup = setup,
    .check = check_items,
    STATE,
    .faults = { { NO_WAKE }, { "death_is_not_counted", "model_count_death", "add(&family->deaths", LOST, 0 } },
};
static const struct model waiter_dies = {
    .name = "waiter_is_killed",
    .tasks = { { "waiter A", get, FOR_EVER },
               { "waiter B", get, FOR_EVER },
               { "killer", kill_and_put_one, THE_FIRST } },
    .setup = setup,
    .check = check_items,
    STATE,
    .faults = { { "dead_keep_their_tickets", "tidy", "store(ticket_of(condition, i), 0)", LOST, 0 } },
};

int main(int argc, char **argv)
{
    return run_models("interleave_shared_condition",
                      (const struct model *const[]){ &two_processes, &one_process, &in_turn, &deadline, &cancelled,
                                                     &passed_on, &notifier_dies, &waiter_dies, NULL },
                      argc, argv);
}
