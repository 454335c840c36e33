/* tests/interleave/thread.c - how a task with a thread of its own sleeps and is woken: in a futex, in a poll, as the
 * driver of a loop. A wake ends the sleep, none is left for the next one, and none writes to a descriptor that is
 * closed.
 *
 * The kernel is small here: a futex compares and lists its caller in one step, a poll looks at two descriptors, and
 * time stands still until a sleep with a deadline ends by it.
 */
#include "runner/interleave.h"

#include <string.h>

#include "runner/tasks.h"

#include "rt/park.c"

#include "rt/thread.c"

enum { SLEEPER, MOST = 3, WAKE_FD = 1, DATA_FD = 2, OPEN = 4, READY = 1 };

static struct {
    _Alignas(8) struct cord_task tasks[MODEL_TASKS];
    _Atomic uint64_t bits; /* spin bit over the waiter and the permits */
    struct cordi_waiter *waiter;
    uint64_t permits, given, taken;
    const void *futex[3]; /* what the sleeper sleeps at */
    int64_t now;
    uint64_t fds[3]; /* OPEN, READY */
    _Atomic uint32_t word, deaths, item, pad;
} world;

/* --- the kernel --- */

static bool futex_ended(void *arg)
{
    (void)arg;
    return world.futex[0] == NULL;
}

/* Until woken, or until the time is up if there is one. */
static int futex_sleep(int64_t deadline)
{
    if (deadline == 0)
        model_wait(futex_ended, NULL, "sleeps in a futex");
    else
        model_step("sleeps in a futex for some time");
    bool woken = world.futex[0] == NULL;
    memset(world.futex, 0, sizeof world.futex);
    if (!woken)
        world.now = deadline;
    return woken ? 0 : -ETIMEDOUT;
}

int cordi_futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline, bool shared)
{
    (void)shared;
    if (atomic_load(word) != expected)
        return -EAGAIN;
    world.futex[0] = word;
    return futex_sleep(deadline);
}

int cordi_futex_wait_several(const struct cordi_futex_word *words, unsigned count, int64_t deadline)
{
    model_step("looks at all words");
    for (unsigned i = 0; i < count; i++)
        if (*words[i].word != words[i].expected)
            return -EAGAIN;
    for (unsigned i = 0; i < count; i++)
        world.futex[i] = words[i].word;
    return futex_sleep(deadline);
}

_Atomic uint32_t *cordi_shm_deaths(void)
{
    return &world.deaths;
}

void cordi_futex_wake(_Atomic uint32_t *word, int count, bool shared)
{
    (void)count, (void)shared;
    model_step("wakes who sleeps in the futex");
    if (world.futex[0] == word || world.futex[1] == word || world.futex[2] == word)
        memset(world.futex, 0, sizeof world.futex);
}

int cordi_fd_event(void)
{
    return -EMFILE;
}

void cordi_fd_event_set(int fd)
{
    model_step("writes the event");
    must(fd == WAKE_FD && (world.fds[fd] & OPEN));
    world.fds[fd] |= READY;
}

void cordi_fd_event_clear(int fd)
{
    model_step("takes the event");
    world.fds[fd] &= ~(uint64_t)READY;
}

struct poll {
    struct pollfd *fds;
    unsigned count;
};

static bool poll_ended(void *arg)
{
    const struct poll *poll = arg;
    for (unsigned i = 0; i < poll->count; i++)
        if (world.fds[poll->fds[i].fd] & READY)
            return true;
    return false;
}

int cordi_fd_poll(struct pollfd *fds, unsigned count, int64_t deadline)
{
    struct poll poll = { fds, count };
    int ready = 0;
    if (deadline == 0)
        model_wait(poll_ended, &poll, "sleeps in poll");
    else
        model_step("sleeps in poll for some time");
    for (unsigned i = 0; i < count; i++) {
        fds[i].revents = world.fds[fds[i].fd] & READY ? POLLIN : 0;
        ready += fds[i].revents != 0;
    }
    if (ready == 0 && deadline == SOME_TIME.at) /* else it only looks again soon */
        world.now = deadline;
    return ready;
}

int64_t cordi_clock_now(void)
{
    return world.now;
}

/* --- the tasks --- */

/* A permit, or data at the descriptor when `poll` says so. */
static __attribute__((noinline)) void take(bool poll, cord_deadline deadline)
{
    struct cord_task *self = cordi_self();
    struct cordi_waiter node;
    struct pollfd fds[2] = { { .fd = DATA_FD, .events = POLLIN } };
    int rc = 0, data = 0;
    cordi_wait_begin(&node, CORDI_CANCELLABLE, "a permit");
    cordi_spin_lock(&world.bits, 1);
    bool there = world.permits > 0;
    world.permits -= there;
    if (!there)
        world.waiter = &node;
    cordi_spin_unlock(&world.bits, 1);
    if (there)
        cordi_wait_abandon();
    else if (!poll || cordi_wait_over(self))
        rc = cordi_park(deadline);
    else {
        data = cordi_thread_park(self, fds, 1, deadline);
        rc = data ? 0 : cordi_wait_result(self);
    }
    world.taken += rc == 0 && !data;
    cordi_spin_lock(&world.bits, 1);
    if (world.waiter == &node)
        world.waiter = NULL;
    cordi_spin_unlock(&world.bits, 1);
    must(self->permit == CORDI_AWAKE);
    must(!(world.fds[WAKE_FD] & READY));
    must(!data || (world.fds[DATA_FD] & READY));
}

struct sleep {
    bool poll, blind, freed; /* freed: its block goes with it */
    cord_deadline deadline;
};

static void end_thread(struct cord_task *self)
{
    world.fds[WAKE_FD] = 0;
    self->wake_fd = -1;
    model_rest();
}

static void sleep_often(void *arg)
{
    const struct sleep *how = arg;
    if (how->blind)
        cordi_self()->wake_fd = -1;
    for (int i = 0; i < model_rounds(MOST); i++)
        take(how->poll, how->deadline);
    if (how->freed) {
        world.fds[WAKE_FD] = 0;
        model_gone(cordi_self(), sizeof(struct cord_task));
    } else
        end_thread(cordi_self());
}

static void give(void *arg)
{
    (void)arg;
    for (int i = 0; i < model_rounds(MOST); i++) {
        struct cord_task *woken = NULL;
        cordi_spin_lock(&world.bits, 1);
        if (world.waiter != NULL) {
            struct cord_task *task = world.waiter->task;
            if (cordi_waiter_claim(world.waiter))
                woken = task;
            world.waiter = NULL;
        }
        world.permits += woken == NULL;
        world.given++;
        cordi_spin_unlock(&world.bits, 1);
        if (woken != NULL)
            cordi_wake(woken);
    }
}

static void cancel(void *arg)
{
    (void)arg;
    cord_task_cancel(&world.tasks[SLEEPER]);
}

static void send_data(void *arg)
{
    (void)arg;
    model_step("sends data");
    world.fds[DATA_FD] |= READY;
}

/* Drives a loop until it is cancelled, or for as long as the search likes; then sleeps as any thread. */
static void drive(void *arg)
{
    struct cord_task *self = cordi_self();
    bool for_ever = arg == NULL;
    cordi_thread_loop_begin(self);
    while (!cordi_thread_loop_cancelled(self)) {
        struct pollfd wake = { .fd = WAKE_FD, .events = POLLIN };
        if (cordi_fd_poll(&wake, 1, for_ever ? 0 : SOME_TIME.at) == 0)
            break;
        cordi_fd_event_clear(WAKE_FD);
    }
    cordi_thread_loop_end(self);
    cordi_fd_event_clear(WAKE_FD);
    must(self->permit == CORDI_AWAKE);
    end_thread(self);
}

/* As the objects between processes do: sleeps at their word, and a cancel ends it by the permit. */
static void sleep_at_word(void *arg)
{
    (void)arg;
    int rc = 0;
    while (rc == 0) {
        struct cordi_sleep sleep = { &world.word, 0, atomic_load(&world.deaths), "a shared object" };
        if (atomic_load(&world.item) != 0)
            break;
        rc = cordi_thread_sleep(&sleep, CORDI_CANCELLABLE, CORD_FOREVER);
    }
    must(rc == 0 || rc == -ECANCELED);
    must(cordi_self()->permit == CORDI_AWAKE);
    end_thread(cordi_self());
}

static void set_word(void *arg)
{
    (void)arg;
    atomic_store(&world.item, 1);
    atomic_store(&world.word, 1);
    cordi_futex_wake(&world.word, 1, true);
}

/* The setter is killed after the first of the three; its death is seen and told. */
static void set_item_and_die(void *arg)
{
    (void)arg;
    atomic_store(&world.item, 1);
    atomic_fetch_add(&world.deaths, 1);
    cordi_futex_wake(&world.deaths, 1, true);
}

static void setup(void)
{
    model_tasks_begin(world.tasks);
    world.fds[WAKE_FD] = world.fds[DATA_FD] = OPEN;
    world.tasks[SLEEPER].wake_fd = WAKE_FD;
}

static void check_permits(void)
{
    must(world.waiter == NULL);
    must(world.given == world.taken + world.permits);
}

static void check(void)
{
    model_tasks_check();
    check_permits();
}

#define STATE .setup = setup, .check = check, .state = &world, .size = sizeof world

static const struct sleep in_futex = { .deadline = SOME_TIME }, in_futex_for_ever = { .deadline = CORD_FOREVER };
static const struct sleep in_poll = { .poll = true, .deadline = SOME_TIME };
static const struct sleep in_poll_for_ever = { .poll = true, .deadline = CORD_FOREVER };
static const struct sleep poll_once = { .poll = true, .freed = true, .deadline = SOME_TIME };
static const struct sleep futex_once = { .freed = true, .deadline = SOME_TIME };
static const struct sleep blind = { .poll = true, .blind = true, .deadline = CORD_FOREVER };

static const struct model futex = {
    .name = "in_a_futex_with_a_deadline",
    .tasks = { { "sleeper", sleep_often, (void *)&in_futex }, { "waker", give, NULL }, { "canceller", cancel, NULL } },
    STATE,
    .faults = { { "permit_is_torn", "cordi_thread_wake", "exchange(&task->permit", TORN, 0 } },
};
static const struct model futex_for_ever = {
    .name = "in_a_futex",
    .tasks = { { "sleeper", sleep_often, (void *)&in_futex_for_ever },
               { "waker", give, NULL },
               { "canceller", cancel, NULL } },
    STATE,
    .faults = { { "waker_thinks_it_is_awake", "cordi_thread_wake", "exchange(&task->permit", LIES, CORDI_AWAKE },
                { "owed_wake_is_not_taken", "cordi_wait_over", "load(&self->wait)", LIES, CORDI_ENDED_ITSELF } },
};
static const struct model poll_for_a_time = {
    .name = "in_poll_with_a_deadline",
    .tasks = { { "sleeper", sleep_often, (void *)&in_poll }, { "waker", give, NULL }, { "sender", send_data, NULL } },
    STATE,
    .faults = { { "write_is_not_awaited", "cordi_thread_wake", "exchange(&task->permit", TORN, 0 } },
};
static const struct model poll_for_ever = {
    .name = "in_poll",
    .tasks = { { "sleeper", sleep_often, (void *)&in_poll_for_ever },
               { "waker", give, NULL },
               { "canceller", cancel, NULL },
               { "sender", send_data, NULL } },
    STATE,
    .faults = { { "says_it_is_in_a_futex", "cordi_thread_wake", "exchange(&task->permit", LIES, CORDI_IN_FUTEX } },
};
static const struct model poll_blind = {
    .name = "in_poll_without_an_eventfd",
    .tasks = { { "sleeper", sleep_often, (void *)&blind }, { "waker", give, NULL } },
    STATE,
};
static const struct model poll_and_end = {
    .name = "in_poll_and_its_block_goes",
    .tasks = { { "sleeper", sleep_often, (void *)&poll_once }, { "waker", give, NULL } },
    .setup = setup,
    .check = check_permits,
    .state = &world,
    .size = sizeof world,
};
static const struct model futex_and_end = {
    .name = "in_a_futex_and_its_block_goes",
    .tasks = { { "sleeper", sleep_often, (void *)&futex_once }, { "waker A", give, NULL }, { "waker B", give, NULL } },
    .setup = setup,
    .check = check_permits,
    .state = &world,
    .size = sizeof world,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", "(&task->wait, value)", TORN, 0 } },
};
static const struct model loop = {
    .name = "driver_of_a_loop_is_cancelled",
    .tasks = { { "driver", drive, NULL }, { "canceller", cancel, NULL } },
    STATE,
    .faults = { { "does_not_say_that_it_drives", "cordi_thread_loop_begin", "store(&self->permit", LOST, 0 } },
};
static const struct model loop_ends = {
    .name = "loop_ends_while_its_driver_is_cancelled",
    .tasks = { { "driver", drive, &world }, { "canceller", cancel, NULL } },
    STATE,
    .faults = { { "writer_is_not_awaited", "cordi_thread_loop_end", "load(&self->permit)", LIES, CORDI_WRITTEN } },
};
static const struct model word = {
    .name = "at_the_word_of_a_shared_object",
    .tasks = { { "sleeper", sleep_at_word, NULL }, { "setter", set_word, NULL }, { "canceller", cancel, NULL } },
    STATE,
    .faults = { { "owed_wake_is_not_taken", "take_wake", "load(&self->permit)", LIES, CORDI_PERMIT } },
};

static const struct model death = {
    .name = "at_the_word_of_a_shared_object_whose_setter_is_killed",
    .tasks = { { "sleeper", sleep_at_word, NULL }, { "setter", set_item_and_die, NULL } },
    STATE,
    .faults = { { "death_is_not_counted", "set_item_and_die", "add(&world.deaths", LOST, 0 } },
};

int main(int argc, char **argv)
{
    return run_models("interleave_thread",
                      (const struct model *const[]){ &futex, &futex_for_ever, &poll_for_a_time, &poll_for_ever,
                                                     &poll_blind, &poll_and_end, &futex_and_end, &loop, &loop_ends,
                                                     &word, &death, NULL },
                      argc, argv);
}
