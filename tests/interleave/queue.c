/* tests/interleave/queue.c - the queue: an item that was put is got once or still there, nobody sleeps beside what he
 * waits for, and a shutdown or the last task_done reaches all who wait. */
#include "runner/interleave.h"

#include "runner/tasks.h"

#include "rt/park.c"

#include "sync/queue.c"

enum { ITEM = sizeof(uint64_t), CAPACITY = 1, MOST = 3, FIRST = 0 };

static struct {
    _Alignas(8) struct cord_task tasks[MODEL_TASKS];
    _Alignas(8) unsigned char queue[sizeof(struct cordi_queue_local) + CAPACITY * ITEM];
    uint64_t put, got; /* sums: each item is another power of two */
    int64_t answers[MODEL_TASKS];
} world;

#define QUEUE ((struct cordi_queue_local *)(void *)world.queue)

/* Queues between processes, other orders and messages are other sources. */
int cordi_shared_queue_put(cord_queue *queue, const void *item, cord_deadline deadline)
{
    must(queue == NULL && item == NULL);
    return (int)deadline.at;
}

int cordi_shared_queue_get(cord_queue *queue, void *item, cord_deadline deadline)
{
    must(queue == NULL && item == NULL);
    return (int)deadline.at;
}

int cordi_shared_queue_task_done(cord_queue *queue)
{
    must(queue == NULL);
    return 0;
}

int cordi_shared_queue_join(cord_queue *queue, cord_deadline deadline)
{
    must(queue == NULL);
    return (int)deadline.at;
}

void cordi_shared_queue_shutdown(cord_queue *queue, bool immediate)
{
    must(queue == NULL && immediate);
}

void cordi_queue_push_sorted(struct cordi_queue_local *queue, const void *item)
{
    must(queue == NULL && item == NULL);
}

void cordi_queue_pop_ordered(struct cordi_queue_local *queue, void *item)
{
    must(queue == NULL && item == NULL);
}

void cordi_queue_messages_free(struct cordi_list *messages)
{
    must(cordi_list_empty(messages));
}

static __attribute__((noinline)) int put_one(uint64_t item, cord_deadline deadline)
{
    int rc = cord_queue_put(&QUEUE->base, &item, deadline);
    world.put += rc == 0 ? item : 0;
    return rc;
}

static __attribute__((noinline)) int get_one(cord_deadline deadline)
{
    uint64_t item = 0;
    int rc = cord_queue_get(&QUEUE->base, &item, deadline);
    must(rc != 0 || item != 0);
    world.got += item;
    return rc;
}

struct how {
    int times; /* in each round */
    cord_deadline deadline;
};

static void put(void *arg)
{
    const struct how *how = arg;
    int me = model_me();
    for (int i = 0; i < how->times * model_rounds(MOST); i++)
        world.answers[me] = put_one((uint64_t)1 << (8 * me + i), how->deadline);
    model_rest();
}

static void get(void *arg)
{
    const struct how *how = arg;
    for (int i = 0; i < how->times * model_rounds(MOST); i++)
        world.answers[model_me()] = get_one(how->deadline);
    model_rest();
}

static void cancel(void *arg)
{
    (void)arg;
    cord_task_cancel(&world.tasks[FIRST]);
}

static void shut_queue(void *arg)
{
    cord_queue_shutdown(&QUEUE->base, arg != NULL);
}

static void say_done(void *arg)
{
    (void)arg;
    must(cord_queue_task_done(&QUEUE->base) == 0);
}

static void join_queue(void *arg)
{
    world.answers[model_me()] = cord_queue_join(&QUEUE->base, ((const struct how *)arg)->deadline);
    model_rest();
}

static void setup(void)
{
    struct cordi_queue_local *queue = QUEUE;
    model_tasks_begin(world.tasks);
    queue->base.item_size = ITEM;
    queue->base.capacity = queue->limit = CAPACITY;
    cordi_list_init(&queue->getters);
    cordi_list_init(&queue->putters);
    cordi_list_init(&queue->joiners);
    cordi_list_init(&queue->messages);
}

static void setup_full(void)
{
    const uint64_t item = (uint64_t)1 << 40;
    setup();
    memcpy(QUEUE->items, &item, ITEM);
    atomic_init(&QUEUE->count, 1);
    world.put = item;
}

static void setup_unfinished(void)
{
    setup();
    QUEUE->unfinished = 2;
}

static void check(void)
{
    struct cordi_queue_local *queue = QUEUE;
    uint64_t left = 0, item;
    model_tasks_check();
    must(queue->base.word == 0);
    must(cordi_list_empty(&queue->getters) && cordi_list_empty(&queue->putters) && cordi_list_empty(&queue->joiners));
    must(queue->count <= CAPACITY);
    if (queue->count > 0) {
        memcpy(&item, queue->items + queue->first * ITEM, ITEM);
        left = item;
    }
    must(world.put == world.got + left);
}

static void check_all_got(void)
{
    check();
    must(QUEUE->count == 0);
    for (int i = 0; i < MODEL_TASKS; i++)
        must(world.answers[i] == 0);
}

/* Dropped items are not got: they are less than what was put. */
static void check_shut_down(void)
{
    model_tasks_check();
    must(QUEUE->base.word == 0 && QUEUE->limit == 0);
    must(cordi_list_empty(&QUEUE->getters) && cordi_list_empty(&QUEUE->putters));
    must((world.put & world.got) == world.got);
    for (int i = 0; i < MODEL_TASKS; i++)
        must(world.answers[i] == 0 || world.answers[i] == -EPIPE);
}

static const struct how one = { .times = 1 }, one_at_most = { .times = 1, .deadline = SOME_TIME };
static const struct how two = { .times = 2 }, two_at_most = { .times = 2, .deadline = SOME_TIME };

#define ONCE (void *)&one
#define ONCE_AT_MOST (void *)&one_at_most
#define TWICE (void *)&two
#define TWICE_AT_MOST (void *)&two_at_most
#define STATE .state = &world, .size = sizeof world
#define CLAIM "(&task->wait, value)"

static const struct model hand_over = {
    .name = "two_putters_and_a_getter",
    .tasks = { { "putter A", put, ONCE }, { "putter B", put, ONCE }, { "getter", get, TWICE } },
    .setup = setup,
    .check = check_all_got,
    STATE,
    .faults = { { "lock_lets_two_in", "cordi_spin_lock", "(word, bit)", LIES, 0 },
                { "getter_does_not_look_again", "cordi_queue_count", "load(&queue->count)", LIES, 0 },
                { "unlock_is_lost", "cordi_queue_unlock", "store(&queue->base.word, 0)", LOST, 0 } },
};
static const struct model deadlines = {
    .name = "deadlines_on_both_sides",
    .tasks = { { "getter A", get, ONCE_AT_MOST }, { "getter B", get, ONCE_AT_MOST }, { "putter", put, ONCE_AT_MOST } },
    .setup = setup,
    .check = check,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 } },
};
static const struct model cancelled = {
    .name = "cancel_of_a_getter_that_is_given_an_item",
    .tasks = { { "getter", get, ONCE }, { "canceller", cancel, NULL }, { "putter", put, TWICE_AT_MOST } },
    .setup = setup,
    .check = check,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 } },
};
static const struct model full = {
    .name = "putters_of_a_full_queue",
    .tasks = { { "putter A", put, ONCE_AT_MOST }, { "putter B", put, ONCE_AT_MOST }, { "getter", get, ONCE } },
    .setup = setup_full,
    .check = check,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 } },
};
static const struct model told = {
    .name = "shutdown_under_waiters",
    .tasks = { { "putter", put, TWICE }, { "getter", get, ONCE }, { "closer", shut_queue, NULL } },
    .setup = setup,
    .check = check_shut_down,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, LOST, 0 } },
};
static const struct model shutdown_now = {
    .name = "shutdown_at_once_under_waiters",
    .tasks = { { "putter", put, TWICE }, { "getter", get, ONCE }, { "closer", shut_queue, &world } },
    .setup = setup,
    .check = check_shut_down,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, LOST, 0 } },
};
static const struct model done = {
    .name = "joins_and_the_last_task_done",
    .tasks = { { "joiner", join_queue, ONCE_AT_MOST }, { "worker A", say_done, NULL }, { "worker B", say_done, NULL } },
    .setup = setup_unfinished,
    .check = check,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 } },
};

int main(int argc, char **argv)
{
    return run_models(
        "interleave_queue",
        (const struct model *const[]){ &hand_over, &deadlines, &cancelled, &full, &told, &shutdown_now, &done, NULL },
        argc, argv);
}
