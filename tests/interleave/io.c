/* tests/interleave/io.c - waiting at a slot: an event is never lost, whoever waited for it and however that wait ended;
 * one task has the turn; a close ends all waits and then waits for their ends. */
#include "runner/interleave.h"

#include "runner/tasks.h"

#include "rt/park.c"

#include "rt/io.c"
#include "rt/io_users.c"

enum { SLOTS = 2, FD = 7 };

static struct {
    _Alignas(64) struct cordi_io ios[SLOTS];
    struct cord_task tasks[MODEL_TASKS];
    uint64_t data[SLOTS]; /* what the kernel has */
    uint64_t inside, closed;
} world;

static uint64_t handle(uint64_t slot)
{
    return (uint64_t)1 << 32 | (slot + 1);
}

int cordi_thread_wake_fd(struct cord_task *self)
{
    return self->wake_fd;
}

int64_t cordi_clock_now(void)
{
    return 0;
}

int cord_sleep(int64_t span)
{
    must(span == 0); /* for registrations that found no room */
    return 0;
}

/* A loop's backend reports data. */
static void report_event(void *arg)
{
    uint64_t slot = *(const uint64_t *)arg;
    model_step("data comes");
    world.data[slot] = 1;
    cordi_io_event(handle(slot), CORDI_EVENT_READ);
}

static bool take_data(uint64_t slot)
{
    bool there = world.data[slot] != 0;
    world.data[slot] = 0;
    return there;
}

static void wait_for_two(void *arg)
{
    struct cordi_io *const ios[] = { &world.ios[0], &world.ios[1] };
    cord_deadline deadline = *(const cord_deadline *)arg; /* of the first wait */
    for (uint64_t seen = 0; seen < SLOTS;) {
        int rc = cordi_io_wait_any(ios, SLOTS, CORDI_READ, deadline);
        must(rc >= 0 || (rc == -ETIMEDOUT && deadline.at != 0));
        seen += rc >= 0 && take_data((uint64_t)rc);
        deadline = CORD_FOREVER;
    }
    model_rest();
}

static void take_turn(void *arg)
{
    cord_deadline deadline = *(const cord_deadline *)arg;
    int rc = cordi_io_turn(&world.ios[0], CORDI_READ, deadline);
    must(rc == 0 || (rc == -ETIMEDOUT && deadline.at != 0));
    if (rc == 0) {
        must(world.inside++ == 0);
        model_step("has the turn");
        world.inside--;
        cordi_io_turn_end(&world.ios[0], CORDI_READ);
    }
    model_rest();
}

/* As the calls of net do. */
static void receive(void *arg)
{
    (void)arg;
    struct cordi_io *io = cordi_io_get(handle(0));
    if (io != NULL) {
        int rc = cordi_io_turn(io, CORDI_READ, CORD_FOREVER);
        while (rc == 0 && !take_data(0))
            rc = cordi_io_wait(io, CORDI_READ, CORD_FOREVER);
        must(rc == 0 || rc == -EBADF);
        must(world.closed == 0);
        if (rc == 0)
            cordi_io_turn_end(io, CORDI_READ);
        cordi_io_put(io);
    }
    model_rest();
}

static void close_slot(void *arg)
{
    void *data = arg;
    must(cordi_io_close(handle(0), &data) == FD);
    world.closed = 1;
    model_rest();
}

static void setup(void)
{
    model_tasks_begin(world.tasks);
    cordi_list_init(&table.free); /* the table is no part of the state: only the closer touches it */
    atomic_store(&table.lock, 0);
    atomic_store(&table.chunks[0], world.ios);
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct cordi_io *io = &world.ios[i];
        io->index = i;
        io->fd = FD;
        atomic_store(&io->word, (uint64_t)1 << 32);
        cordi_list_init(&io->direction[CORDI_READ].queue);
        cordi_list_init(&io->direction[CORDI_WRITE].queue);
    }
}

static void check(void)
{
    model_tasks_check();
    for (int i = 0; i < SLOTS; i++)
        must(world.ios[i].direction[CORDI_READ].waiter == NULL);
}

static void check_turn(void)
{
    check();
    must(cordi_list_empty(&world.ios[0].direction[CORDI_READ].queue));
    must(world.ios[0].direction[CORDI_READ].turn == TURN_FREE);
}

static const cord_deadline for_ever = { 0 }, some_time = SOME_TIME;
static const uint64_t first = 0, second = 1;

#define FOR_EVER (void *)&for_ever
#define FOR_SOME_TIME (void *)&some_time
#define STATE .setup = setup, .state = &world, .size = sizeof world

static const struct model any_of_two = {
    .name = "any_of_two_slots",
    .tasks = { { "waiter", wait_for_two, FOR_EVER },
               { "loop A", report_event, (void *)&first },
               { "loop B", report_event, (void *)&second } },
    .check = check,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", "(&task->wait, value)", LOST, 0 } },
};
static const struct model deadline = {
    .name = "event_at_the_deadline",
    .tasks = { { "waiter", wait_for_two, FOR_SOME_TIME },
               { "loop A", report_event, (void *)&first },
               { "loop B", report_event, (void *)&second } },
    .check = check,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", "(&task->wait, value)", TORN, 0 } },
};
static const struct model turns = {
    .name = "turns",
    .tasks = { { "caller A", take_turn, FOR_EVER },
               { "caller B", take_turn, FOR_EVER },
               { "caller C", take_turn, FOR_SOME_TIME } },
    .check = check_turn,
    STATE,
    .faults = { { "turn_is_torn", "cordi_io_turn", "(&d->turn, TURN_TAKEN)", TORN, 0 },
                { "end_is_torn", "cordi_io_turn_end", "exchange(&d->turn, TURN_FREE)", TORN, 0 } },
};
static const struct model closing = {
    .name = "close_under_waiters",
    .tasks = { { "closer", close_slot, NULL }, { "receiver A", receive, NULL }, { "receiver B", receive, NULL } },
    .check = check,
    STATE,
    .faults = { { "closing_is_not_looked_at", "cordi_handle_closing", "load(word)", LIES, 0 } },
};
static const struct model closing_and_event = {
    .name = "close_and_an_event",
    .tasks = { { "closer", close_slot, NULL },
               { "receiver", receive, NULL },
               { "loop", report_event, (void *)&first } },
    .check = check,
    STATE,
};

int main(int argc, char **argv)
{
    return run_models(
        "interleave_io",
        (const struct model *const[]){ &any_of_two, &deadline, &turns, &closing, &closing_and_event, NULL }, argc,
        argv);
}
