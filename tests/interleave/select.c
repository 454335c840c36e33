/* tests/interleave/select.c - one wait at several objects: of all that may happen one does, and what another task gave
 * to a node that did not win is not lost, since it was not given. */
#include "runner/interleave.h"

#include "runner/tasks.h"

#include "rt/park.c"

#include "sync/event.c"
#include "sync/queue.c"

#include "net/select.c"

enum { ITEM = sizeof(uint64_t), CAPACITY = 1, MOST = 2, QUEUES = 2, FIRST = 0 };

static struct {
    _Alignas(8) struct cord_task tasks[MODEL_TASKS];
    struct {
        _Alignas(8) unsigned char memory[sizeof(struct cordi_queue_local) + CAPACITY * ITEM];
    } queues[QUEUES];
    cord_event event;
    uint64_t put, got; /* sums: each item is another power of two */
    int64_t answers[MODEL_TASKS];
} world;

static struct cordi_queue_local *queue_of(int i)
{
    return (struct cordi_queue_local *)(void *)world.queues[i].memory;
}

#define A (&queue_of(0)->base)
#define B (&queue_of(1)->base)

/* --- what is other sources: objects between processes, other orders, messages, semaphores, tasks and sockets --- */

#define NOT_HERE(type, name, ...)                                                                                      \
    type name(__VA_ARGS__)                                                                                             \
    {                                                                                                                  \
        model_fail(__FILE__, __LINE__, #name);                                                                         \
        return (type)0;                                                                                                \
    }
#pragma GCC diagnostic ignored "-Wunused-parameter"
NOT_HERE(int, cordi_shared_queue_put, cord_queue *queue, const void *item, cord_deadline deadline)
NOT_HERE(int, cordi_shared_queue_get, cord_queue *queue, void *item, cord_deadline deadline)
NOT_HERE(void, cordi_shared_queue_shutdown, cord_queue *queue, bool immediate)
NOT_HERE(void, cordi_shared_event_set, cord_event *event)
NOT_HERE(void, cordi_shared_event_clear, cord_event *event)
NOT_HERE(bool, cordi_shared_event_is_set, const cord_event *event)
NOT_HERE(int, cordi_shared_event_wait, cord_event *event, cord_deadline deadline)
NOT_HERE(uint64_t, cordi_shared_event_count, const cord_event *event)
NOT_HERE(int, cordi_shared_event_listen, cord_event *event, struct cordi_sleep *sleep)
NOT_HERE(int, cordi_shared_sem_try, cord_sem *sem)
NOT_HERE(int, cordi_shared_sem_listen, cord_sem *sem, struct cordi_sleep *sleep)
NOT_HERE(int, cordi_shared_queue_try, cord_queue *queue, void *item, bool put)
NOT_HERE(int, cordi_shared_queue_listen, cord_queue *queue, bool put, struct cordi_sleep *sleep)
NOT_HERE(int, cordi_words_add, struct cordi_word_wait *wait)
NOT_HERE(void, cordi_words_remove, struct cordi_word_wait *wait)
NOT_HERE(void, cordi_queue_push_sorted, struct cordi_queue_local *queue, const void *item)
NOT_HERE(void, cordi_queue_pop_ordered, struct cordi_queue_local *queue, void *item)
NOT_HERE(int, cordi_sem_try, cord_sem *sem, struct cordi_waiter *node)
NOT_HERE(void, cordi_sem_leave, cord_sem *sem, struct cordi_waiter *node)
NOT_HERE(int, cordi_task_end_try, struct cord_task *task, struct cordi_waiter *node)
NOT_HERE(void, cordi_task_end_leave, struct cord_task *task, struct cordi_waiter *node)
NOT_HERE(int, cordi_socket_fail, const struct cordi_socket *socket, int rc)
NOT_HERE(struct cordi_io *, cordi_io_get, uint64_t handle)
NOT_HERE(void, cordi_io_put, struct cordi_io *io)
NOT_HERE(void *, cordi_io_data, const struct cordi_io *io)
NOT_HERE(int, cordi_io_turn, struct cordi_io *io, enum cordi_direction direction, cord_deadline deadline)
NOT_HERE(void, cordi_io_turn_end, struct cordi_io *io, enum cordi_direction direction)
NOT_HERE(int, cordi_io_turn_list, struct cordi_io *io, enum cordi_direction direction, struct cordi_waiter *node)
NOT_HERE(void, cordi_io_turn_unlist, struct cordi_io *io, struct cordi_waiter *node)
NOT_HERE(int, cordi_io_look, struct cordi_io *io, enum cordi_direction direction)
NOT_HERE(int, cordi_io_list, struct cordi_io *io, enum cordi_direction direction, struct cordi_waiter *node)
NOT_HERE(void, cordi_io_unlist, struct cordi_io *io, enum cordi_direction direction, struct cordi_waiter *node)
NOT_HERE(cord_span, cord_left, cord_deadline deadline)

cord_deadline cord_in(cord_span span)
{
    must(span == 0);
    return CORD_FOREVER;
}

void cordi_queue_messages_free(struct cordi_list *messages)
{
    must(cordi_list_empty(messages));
}

int cordi_io_park(const struct cordi_io_watch *watches, unsigned count, cord_deadline deadline)
{
    must(watches != NULL && count == 0);
    return cordi_park(deadline);
}

/* --- tasks --- */

struct how {
    int times;
    cord_deadline deadline;
};

/* Gets an item, or sees the event. */
static __attribute__((noinline)) int select_get(cord_deadline deadline)
{
    uint64_t a = 0, b = 0;
    cord_choice choices[] = { { .get = A, .item = &a }, { .event = &world.event }, { .get = B, .item = &b } };
    int first = cord_select(choices, 3, deadline);
    must(first < 0 || choices[first].result == 0 || (choices[first].result == -EPIPE && first != 1));
    must((a != 0) == (first == 0 && choices[0].result == 0));
    must((b != 0) == (first == 2 && choices[2].result == 0));
    world.got += a + b;
    return first;
}

static void get_any(void *arg)
{
    const struct how *how = arg;
    for (int i = 0; i < how->times * model_rounds(MOST); i++)
        world.answers[model_me()] = select_get(how->deadline);
    model_rest();
}

/* Gets an item of either queue. */
static __attribute__((noinline)) int select_either(cord_deadline deadline)
{
    uint64_t item = 0;
    cord_choice choices[] = { { .get = A, .item = &item }, { .get = B, .item = &item } };
    int first = cord_select(choices, 2, deadline);
    must((item != 0) == (first >= 0));
    world.got += item;
    return first;
}

static void get_either(void *arg)
{
    world.answers[model_me()] = select_either(((const struct how *)arg)->deadline);
    model_rest();
}

/* Puts an item into A, or gets one from B. */
static __attribute__((noinline)) void trade_once(void)
{
    uint64_t out = (uint64_t)1 << (8 * model_me() + 1), in = 0;
    cord_choice choices[] = { { .put = A, .item = &out }, { .get = B, .item = &in } };
    int first = cord_select(choices, 2, CORD_FOREVER);
    must(first >= 0 && choices[first].result == 0);
    must((in != 0) == (first == 1));
    world.put += first == 0 ? out : 0;
    world.got += in;
}

static void trade(void *arg)
{
    (void)arg;
    trade_once();
    model_rest();
}

static __attribute__((noinline)) void put_one(cord_queue *queue, uint64_t item)
{
    must(cord_queue_put(queue, &item, CORD_FOREVER) == 0);
    world.put += item;
}

static void put_to(void *arg)
{
    put_one(*(const int *)arg ? B : A, (uint64_t)1 << (8 * model_me()));
    model_rest();
}

static __attribute__((noinline)) void get_one(cord_queue *queue)
{
    uint64_t item = 0;
    must(cord_queue_get(queue, &item, CORD_FOREVER) == 0);
    world.got += item;
}

static void get_from(void *arg)
{
    get_one(*(const int *)arg ? B : A);
    model_rest();
}

static __attribute__((noinline)) void get_at_most(cord_queue *queue)
{
    uint64_t item = 0;
    int rc = cord_queue_get(queue, &item, SOME_TIME);
    must((item != 0) == (rc == 0));
    world.got += item;
}

static void get_in_time(void *arg)
{
    get_at_most(*(const int *)arg ? B : A);
    model_rest();
}

static void set_and_clear(void *arg)
{
    (void)arg;
    cord_event_set(&world.event);
    cord_event_clear(&world.event);
}

static void cancel(void *arg)
{
    (void)arg;
    cord_task_cancel(&world.tasks[FIRST]);
}

static void shut_a(void *arg)
{
    (void)arg;
    cord_queue_shutdown(A, false);
}

/* --- models --- */

static void setup(void)
{
    model_tasks_begin(world.tasks);
    for (int i = 0; i < QUEUES; i++) {
        struct cordi_queue_local *queue = queue_of(i);
        queue->base.item_size = ITEM;
        queue->base.capacity = queue->limit = CAPACITY;
        cordi_list_init(&queue->getters);
        cordi_list_init(&queue->putters);
        cordi_list_init(&queue->joiners);
        cordi_list_init(&queue->messages);
    }
}

static void setup_a_full(void)
{
    const uint64_t item = (uint64_t)1 << 40;
    setup();
    memcpy(queue_of(0)->items, &item, ITEM);
    atomic_init(&queue_of(0)->count, 1);
    world.put = item;
}

static void check(void)
{
    uint64_t left = 0, item;
    model_tasks_check();
    must(world.event.word == 0);
    for (int i = 0; i < QUEUES; i++) {
        struct cordi_queue_local *queue = queue_of(i);
        must(queue->base.word == 0 && queue->count <= CAPACITY);
        must(cordi_list_empty(&queue->getters) && cordi_list_empty(&queue->putters));
        memcpy(&item, queue->items + queue->first * ITEM, ITEM);
        left += queue->count > 0 ? item : 0;
    }
    must(world.put == world.got + left);
}

static const struct how one = { .times = 1 }, two = { .times = 2 };
static const struct how one_at_most = { .times = 1, .deadline = SOME_TIME };
static const int to_a = 0, to_b = 1;

#define ONCE (void *)&one
#define TWICE (void *)&two
#define ONCE_AT_MOST (void *)&one_at_most
#define TO_A (void *)&to_a
#define TO_B (void *)&to_b
#define STATE .check = check, .state = &world, .size = sizeof world
#define CLAIM "(&task->wait, value)"

static const struct model two_queues = {
    .name = "items_in_two_queues_at_once",
    .tasks = { { "selecter", get_any, TWICE }, { "putter A", put_to, TO_A }, { "putter B", put_to, TO_B } },
    .setup = setup,
    STATE,
    .faults = { { "wait_is_not_ended", "cordi_wait_swap", CLAIM, LOST, 0 },
                { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 },
                { "does_not_look_again", "cordi_queue_count", "load(&queue->count)", LIES, 0 } },
};
static const struct model deadline = {
    .name = "item_and_event_at_the_deadline",
    .tasks = { { "selecter", get_any, ONCE_AT_MOST }, { "putter", put_to, TO_B }, { "setter", set_and_clear, NULL } },
    .setup = setup,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 } },
};
static const struct model cancelled = {
    .name = "item_and_cancel",
    .tasks = { { "selecter", get_any, ONCE }, { "putter", put_to, TO_A }, { "canceller", cancel, NULL } },
    .setup = setup,
    STATE,
    .faults = { { "owed_wake_is_not_taken", "cordi_wait_over_or_late", "load(&self->wait)", LIES, CORDI_ENDED_ITSELF },
                { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 } },
};
static const struct model rivals = {
    .name = "selecter_and_getter_of_one_item",
    .tasks = { { "selecter", get_either, ONCE_AT_MOST }, { "getter", get_in_time, TO_B }, { "putter", put_to, TO_B } },
    .setup = setup,
    STATE,
    .faults = { { "lock_lets_two_in", "cordi_spin_lock", "(word, bit)", LIES, 0 } },
};
static const struct model traders = {
    .name = "put_or_get",
    .tasks = { { "trader", trade, NULL }, { "getter", get_from, TO_A }, { "putter", put_to, TO_B } },
    .setup = setup_a_full,
    STATE,
    .faults = { { "wait_is_not_ended", "cordi_wait_swap", CLAIM, LOST, 0 },
                { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 } },
};
static const struct model shut = {
    .name = "shutdown_and_an_item",
    .tasks = { { "selecter", get_any, ONCE }, { "closer", shut_a, NULL }, { "putter", put_to, TO_B } },
    .setup = setup,
    STATE,
    .faults = { { "claim_is_no_claim", "cordi_wait_swap", CLAIM, TORN, 0 } },
};

int main(int argc, char **argv)
{
    return run_models(
        "interleave_select",
        (const struct model *const[]){ &two_queues, &deadline, &cancelled, &rivals, &traders, &shut, NULL }, argc,
        argv);
}
