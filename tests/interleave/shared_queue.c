/* tests/interleave/shared_queue.c - the queue of several processes: an item that was put is got once or still there, in
 * order, and nobody sleeps for ever beside what he waits for: also when a putter, a getter or who shuts it down is
 * killed at any point. What a killed putter had not counted is not seen, what a killed getter had not is still there.
 */
#include "runner/interleave.h"

#include "runner/family.h"

#include "sync/shared.c"

#include "sync/shared_store.c"

#include "sync/shared_queue.c"

enum { ITEM = sizeof(uint64_t), CAPACITY = 2, FIRST = 0, SECOND, ROUNDS = 3 };

static struct {
    _Alignas(64) struct model_family family;
    _Alignas(64) unsigned char queue[sizeof(struct cordi_shared_queue) + 2 * CAPACITY * ITEM + ITEM];
    struct cord_task tasks[MODEL_TASKS];
    uint64_t put, got;         /* sums: each item is another power of two, and 8 bits for each putter */
    uint64_t putting, getting; /* what calls are under way: the item; a bit for each task */
    uint64_t dropped;          /* it is empty for ever */
    int64_t answers[MODEL_TASKS];
} world;

#define QUEUE ((struct cordi_shared_queue *)(void *)world.queue)

/* No sooner than what was got before of the same putter. */
static bool in_order(uint64_t got, uint64_t item)
{
    return QUEUE->order != CORDI_IN_ORDER || item == 0 ||
           (got & ~(item - 1) & ((uint64_t)0xff << (__builtin_ctzll(item) / 8 * 8))) == 0;
}

static __attribute__((noinline)) int put_one(uint64_t item, cord_deadline deadline)
{
    world.putting |= item;
    int rc = cordi_shared_queue_put(&QUEUE->base, &item, deadline);
    world.putting &= ~item;
    world.put += rc == 0 ? item : 0;
    return rc;
}

static __attribute__((noinline)) int get_one(uint64_t *mine, cord_deadline deadline)
{
    uint64_t item = 0, me = (uint64_t)1 << model_me();
    world.getting |= me;
    int rc = cordi_shared_queue_get(&QUEUE->base, &item, deadline);
    world.getting &= ~me;
    must((rc == 0) == (item != 0));
    must(rc != -ECANCELED || world.tasks[model_me()].cancelled);
    must(in_order(*mine, item));
    must((world.got & item) == 0);
    *mine |= item;
    world.got |= item;
    return rc;
}

struct how {
    int times;
    bool rounds; /* so often in each of them */
    cord_deadline deadline;
};

static int times(const struct how *how)
{
    return how->times * (how->rounds ? model_rounds(ROUNDS) : 1);
}

static void put(void *arg)
{
    const struct how *how = arg;
    int me = model_me();
    for (int i = 0; i < times(how); i++)
        world.answers[me] = put_one((uint64_t)1 << (8 * me + i), how->deadline);
}

static void get(void *arg)
{
    const struct how *how = arg;
    uint64_t mine = 0;
    for (int i = 0; i < times(how); i++)
        world.answers[model_me()] = get_one(&mine, how->deadline);
}

static void shut_queue(void *arg)
{
    cordi_shared_queue_shutdown(&QUEUE->base, arg != NULL);
    must(arg == NULL || cordi_shared_queue_size(&QUEUE->base) == 0);
}

/* In the end it is shut down, and what is there is lost. */
static void kill_and_shut(void *arg)
{
    uint64_t item;
    model_killer(arg);
    shut_queue(&world);
    must(cordi_shared_queue_get(&QUEUE->base, &item, CORD_NOWAIT) == -EPIPE);
}

static void say_done(void *arg)
{
    (void)arg;
    must(cordi_shared_queue_task_done(&QUEUE->base) == 0);
}

static void join_queue(void *arg)
{
    world.answers[model_me()] = cordi_shared_queue_join(&QUEUE->base, ((const struct how *)arg)->deadline);
}

/* --- at the beginning --- */

static void setup_of(enum cordi_order order, size_t capacity)
{
    struct cordi_shared_queue *queue = QUEUE;
    model_family_begin(&world.family, world.tasks);
    queue->base.word = CORDI_RING_SHARED;
    queue->base.item_size = ITEM;
    queue->base.capacity = capacity;
    queue->order = order;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void setup(void)
{
    setup_of(CORDI_IN_ORDER, 1);
}

static void setup_two(void)
{
    setup_of(CORDI_IN_ORDER, 2);
}

static void setup_one_process(void)
{
    setup();
    world.family.process[SECOND] = FIRST;
}

static void setup_last(void)
{
    setup_of(CORDI_LAST, 1);
}

static void setup_sorted(void)
{
    setup_of(CORDI_SORTED, 2);
    QUEUE->compare = by_value;
}

static void fill(void)
{
    const uint64_t item = (uint64_t)1 << 40;
    must(cordi_store_put(QUEUE, &item, 0) == 0);
    world.put = item;
}

static void setup_full(void)
{
    setup();
    fill();
}

static void setup_full_for_one_process(void)
{
    setup_one_process();
    fill();
}

static void setup_sorted_full(void)
{
    setup_of(CORDI_SORTED, 1);
    QUEUE->compare = by_value;
    fill();
}

static void setup_unfinished(void)
{
    uint64_t item;
    size_t size = 0;
    setup_two();
    fill();
    fill();
    for (int i = 0; i < 2; i++)
        must(cordi_store_get(QUEUE, &item, &size) == ITEM);
    world.got = world.put;
}

/* --- at the end --- */

/* What is still there: takes it. */
static uint64_t take_rest(void)
{
    uint64_t left = 0, item;
    size_t size = 0;
    cordi_store_repair(QUEUE);
    while (cordi_store_get(QUEUE, &item, &size) == ITEM) {
        must((left & item) == 0 && item != 0);
        must(in_order(left | world.got, item));
        left |= item;
    }
    return left;
}

static void check(void)
{
    must(world.put == (world.got | take_rest()));
}

static void check_all_got(void)
{
    must(cordi_store_size(QUEUE) == 0);
    check();
    for (int i = 0; i < MODEL_TASKS; i++)
        must(world.answers[i] == 0);
}

/* A killed putter may have put its item, a killed getter have taken one: nothing else is missing, or too much. */
static void check_after_death(void)
{
    uint64_t left = take_rest(), seen = world.got | left, lost = world.put & ~seen;
    must((world.got & left) == 0);
    must((seen & ~world.put & ~world.putting) == 0);
    must(lost == 0 || (world.getting != 0 && (lost & (lost - 1)) == 0));
    must(cordi_store_size(QUEUE) == 0);
}

/* Dropped items are not got: they are less than what was put. */
static void check_shut_down(void)
{
    must(QUEUE->closed != CORDI_OPEN);
    must((world.got & ~world.put & ~world.putting) == 0);
    for (int i = 0; i < MODEL_TASKS; i++)
        must(world.answers[i] == 0 || world.answers[i] == -EPIPE);
}

static const struct how one = { .times = 1 }, one_at_most = { .times = 1, .deadline = SOME_TIME };
static const struct how two = { .times = 2 }, one_a_round = { 1, true, CORD_FOREVER },
                        two_a_round = { 2, true, CORD_FOREVER };
static const uint64_t first = FIRST;

#define ONCE (void *)&one
#define ONCE_AT_MOST (void *)&one_at_most
#define TWICE (void *)&two
#define ONCE_A_ROUND (void *)&one_a_round
#define TWICE_A_ROUND (void *)&two_a_round
#define THE_FIRST (void *)&first
#define STATE .state = &world, .size = sizeof world
#define NO_WAKE "wake_is_not_sent", "cordi_word_wake", "load(&family->mute)", LIES, 1
#define NO_BELL "bell_is_not_looked_at", "ring", "load(&side->bell)", LIES, 0
#define NO_DEATH "death_is_not_counted", "model_count_death", "add(&family->deaths", LOST, 0

static const struct model hand_over = {
    .name = "two_putters_and_a_getter",
    .tasks = { { "putter A", put, ONCE_A_ROUND }, { "putter B", put, ONCE_A_ROUND }, { "getter", get, TWICE_A_ROUND } },
    .setup = setup,
    .check = check_all_got,
    STATE,
    .faults = { { NO_WAKE },
                { NO_BELL },
                { "bell_does_not_change", "ring", "store(&side->bell, bell + 1)", LOST, 0 },
                { "position_is_not_looked_at", "position", "load(&queue->side[side].position)", LIES, 0 } },
};
static const struct model two_getters = {
    .name = "two_getters_and_a_putter",
    .tasks = { { "getter A", get, ONCE_A_ROUND }, { "getter B", get, ONCE_A_ROUND }, { "putter", put, TWICE_A_ROUND } },
    .setup = setup,
    .check = check_all_got,
    STATE,
    .faults = { { NO_WAKE }, { "item_is_not_counted", "move_to", "store(&queue->side[side].position", LOST, 0 } },
};
static const struct model one_process = {
    .name = "getters_of_one_process_and_a_deadline",
    .tasks = { { "getter A", get, ONCE_AT_MOST }, { "getter B", get, ONCE }, { "putter", put, TWICE } },
    .setup = setup_one_process,
    .check = check,
    STATE,
    .faults = { { NO_WAKE }, { "gate_is_kept", "cordi_lock_give", "(_Atomic uint64_t *)&gate->word", LOST, 0 } },
};
static const struct model cancelled = {
    .name = "cancel_of_a_getter_that_an_item_comes_for",
    .tasks = { { "getter", get, ONCE }, { "canceller", model_canceller, THE_FIRST }, { "putter", put, TWICE } },
    .setup = setup_two,
    .check = check,
    STATE,
};
static const struct model full = {
    .name = "putters_of_one_process_and_a_full_queue",
    .tasks = { { "putter A", put, ONCE }, { "putter B", put, ONCE_AT_MOST }, { "getter", get, TWICE } },
    .setup = setup_full_for_one_process,
    .check = check,
    STATE,
    .faults = { { NO_WAKE }, { NO_BELL } },
};
static const struct model last = {
    .name = "of_the_last_in_first_out",
    .tasks = { { "putter A", put, ONCE_A_ROUND }, { "putter B", put, ONCE_A_ROUND }, { "getter", get, TWICE_A_ROUND } },
    .setup = setup_last,
    .check = check_all_got,
    STATE,
    .faults = { { NO_WAKE }, { NO_BELL } },
};
static const struct model putter_dies = {
    .name = "putter_is_killed",
    .tasks = { { "putter A", put, ONCE },
               { "putter B", put, ONCE },
               { "getter", get, ONCE },
               { "killer", model_killer, THE_FIRST } },
    .setup = setup,
    .check = check_after_death,
    STATE,
    .faults = { { NO_WAKE }, { NO_DEATH } },
};
static const struct model getter_dies = {
    .name = "getter_is_killed",
    .tasks = { { "getter A", get, ONCE },
               { "getter B", get, ONCE },
               { "putter", put, ONCE },
               { "killer", model_killer, THE_FIRST } },
    .setup = setup_full,
    .check = check_after_death,
    STATE,
    .faults = { { NO_WAKE } },
};
static const struct model sorter_dies = {
    .name = "putter_of_a_sorted_queue_is_killed",
    .tasks = { { "putter A", put, ONCE },
               { "putter B", put, ONCE },
               { "getter", get, ONCE },
               { "killer", model_killer, THE_FIRST } },
    .setup = setup_sorted,
    .check = check_after_death,
    STATE,
    .faults = { { NO_WAKE } },
};
static const struct model picker_dies = {
    .name = "getter_of_a_sorted_queue_is_killed",
    .tasks = { { "getter A", get, ONCE },
               { "getter B", get, ONCE },
               { "putter", put, ONCE },
               { "killer", model_killer, THE_FIRST } },
    .setup = setup_sorted_full,
    .check = check_after_death,
    STATE,
    .faults = { { NO_WAKE } },
};
static const struct model told = {
    .name = "shutdown_under_waiters",
    .tasks = { { "putter", put, TWICE }, { "getter", get, ONCE }, { "closer", shut_queue, NULL } },
    .setup = setup,
    .check = check_shut_down,
    STATE,
    .faults = { { NO_WAKE },
                { NO_BELL },
                { "shutdown_is_lost", "cordi_shared_queue_shutdown", "store(&queue->closed", LOST, 0 } },
};
static const struct model told_by_the_dead = {
    .name = "who_shuts_it_down_is_killed",
    .tasks = { { "closer", shut_queue, &world }, { "getter", get, ONCE }, { "killer", kill_and_shut, THE_FIRST } },
    .setup = setup,
    .check = check_shut_down,
    STATE,
    .faults = { { NO_WAKE } },
};
static const struct model joined_after = {
    .name = "join_and_who_drops_the_items_is_killed",
    .tasks = { { "closer", shut_queue, &world },
               { "joiner", join_queue, ONCE },
               { "killer", kill_and_shut, THE_FIRST } },
    .setup = setup_full,
    .check = check_shut_down,
    STATE,
    .faults = { { NO_WAKE } },
};
static const struct model done = {
    .name = "joins_and_the_last_task_done",
    .tasks = { { "joiner", join_queue, ONCE }, { "worker A", say_done, NULL }, { "worker B", say_done, NULL } },
    .setup = setup_unfinished,
    .check = check,
    STATE,
    .faults = { { NO_WAKE }, { "bell_is_not_looked_at", "ring_all_done", "load(&queue->all_done)", LIES, 0 } },
};

int main(int argc, char **argv)
{
    return run_models("interleave_shared_queue",
                      (const struct model *const[]){ &hand_over, &two_getters, &one_process, &cancelled, &full, &last,
                                                     &putter_dies, &getter_dies, &sorter_dies, &picker_dies, &told,
                                                     &told_by_the_dead, &joined_after, &done, NULL },
                      argc, argv);
}
