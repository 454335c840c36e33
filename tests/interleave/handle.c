/* tests/interleave/handle.c - the word of a socket's slot: who enters has the descriptor it meant, open until it
 * leaves; the closer goes on when the last one has left, also when the slot is another socket's by then. */
#include "runner/interleave.h"

#include "runner/tasks.h"

#include "rt/park.c"

#include "rt/io_users.c"

enum { GENERATIONS = 2, MOST = 3 };

static struct {
    _Alignas(64) struct cordi_io io;
    struct cord_task tasks[MODEL_TASKS];
    uint64_t open; /* the generation whose descriptor is open, 0: none is */
    uint64_t inside, closed;
} world;

static void use_once(uint32_t generation)
{
    if (!cordi_handle_enter(&world.io.word, generation)) {
        model_step("is refused"); /* and asks again, which is not spinning */
        return;
    }
    must(world.open == generation);
    world.inside++;
    model_step("uses the descriptor");
    must(world.open == generation);
    world.inside--;
    cordi_io_put(&world.io);
}

/* The first `arg` generations of the slot, each through a handle of its own. */
static void use(void *arg)
{
    for (uint32_t generation = 1; generation <= *(const uint32_t *)arg; generation++)
        for (int i = 0; i < model_rounds(MOST); i++)
            use_once(generation);
}

static __attribute__((noinline)) bool close_once(uint32_t generation)
{
    if (!cordi_handle_close(&world.io.word, generation))
        return false;
    cordi_io_wait_for_users(&world.io);
    must(world.inside == 0);
    must(world.open == generation);
    model_step("closes the descriptor");
    world.open = 0;
    world.closed++;
    return true;
}

static void close_and_open(void *arg)
{
    uint32_t last = *(const uint32_t *)arg;
    for (uint32_t generation = 1; generation <= last; generation++) {
        (void)close_once(generation);
        if (generation < last) {
            world.open = generation + 1;
            cordi_handle_renew(&world.io.word);
        }
    }
    model_rest();
}

static void setup(void)
{
    model_tasks_begin(world.tasks);
    world.open = 1;
    atomic_store(&world.io.word, (uint64_t)1 << 32);
}

static void check(void)
{
    model_tasks_check();
    must(world.io.closer == NULL);
    must(cordi_handle_empty(&world.io.word));
}

static void check_closed_once(void)
{
    check();
    must(world.closed == 1);
}

static void check_closed_twice(void)
{
    check();
    must(world.closed == GENERATIONS);
}

static const uint32_t one = 1, both = GENERATIONS;

static const struct model reuse = {
    .name = "slot_that_is_used_again",
    .tasks = { { "closer", close_and_open, (void *)&both },
               { "user A", use, (void *)&one },
               { "user B", use, (void *)&both } },
    .setup = setup,
    .check = check_closed_twice,
    .state = &world,
    .size = sizeof world,
    .faults = { { "enter_is_no_compare", "cordi_handle_enter", "(word, seen + 1", TORN, 0 },
                { "leave_counts_wrong", "cordi_handle_leave", "(word, ", TORN, 0 },
                { "closer_does_not_wait", "cordi_handle_empty", "load(word)", LIES, 0 },
                { "last_one_does_not_wake", "cordi_wait_leave", "load(&task->wait)", LIES, 0 } },
};
static const struct model two_closers = {
    .name = "two_closers",
    .tasks = { { "closer A", close_and_open, (void *)&one },
               { "closer B", close_and_open, (void *)&one },
               { "user", use, (void *)&one } },
    .setup = setup,
    .check = check_closed_once,
    .state = &world,
    .size = sizeof world,
    .faults = { { "close_is_no_compare", "cordi_handle_close", "(word, seen | CORDI_CLOSING", TORN, 0 } },
};

int main(int argc, char **argv)
{
    return run_models("interleave_handle", (const struct model *const[]){ &reuse, &two_closers, NULL }, argc, argv);
}
