/* tests/heap.c - the heap of timers against a model, with random steps. */
#include "support.h"

#include <stdlib.h>

#include "base/heap.h"

enum { NODES = 300, STEPS = 60000, MANY = 100000 };

static uint64_t state = 88172645463325252u;

static uint64_t random_below(uint64_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 1) % limit;
}

/* The model: a number for each node, larger for one that was added later; 0: it is out. */
struct model {
    struct cordi_heap heap;
    struct cordi_heap_node nodes[NODES];
    int added[NODES];
    int last, count;
    int64_t now;
};

static void add(struct model *model, int i, int64_t key)
{
    model->nodes[i].key = key;
    model->added[i] = ++model->last;
    model->count++;
    cordi_heap_add(&model->heap, &model->nodes[i]);
}

static void take_out(struct model *model, int i)
{
    cordi_heap_remove(&model->heap, &model->nodes[i]);
    model->added[i] = 0;
    model->count--;
}

/* The node whose turn it is, or -1: the least key, of equal ones that which came first. */
static int first(const struct model *model)
{
    int found = -1;
    for (int i = 0; i < NODES; i++)
        if (model->added[i] > 0 &&
            (found < 0 || model->nodes[i].key < model->nodes[found].key ||
             (model->nodes[i].key == model->nodes[found].key && model->added[i] < model->added[found])))
            found = i;
    return found;
}

static void check_slots(const struct cordi_heap *heap)
{
    for (int i = 0; i < CORDI_HEAP_SLOTS; i++) {
        const struct cordi_list *nodes = &heap->slots[i].nodes;
        is(heap->occupied >> i & 1, !cordi_list_empty(nodes));
        for (const struct cordi_list *at = nodes->next; at != nodes; at = at->next) {
            int64_t key = CORDI_ITEM(at, struct cordi_heap_node, link)->key;
            ck_assert_int_ge(key, heap->slots[i].least);
            is(63 - __builtin_clzll((uint64_t)(key ^ heap->floor)), i);
        }
    }
}

/* Up to `now`, what is due comes out in order and nothing comes early. */
static void advance(struct model *model, int64_t by)
{
    struct cordi_heap_node *node;
    model->now += by;
    while ((node = cordi_heap_due(&model->heap, model->now)) != NULL) {
        int expected = first(model);
        is(node - model->nodes, expected);
        ck_assert_int_le(node->key, model->now);
        take_out(model, expected);
    }
    int left = first(model);
    is(cordi_heap_empty(&model->heap), left < 0);
    if (left < 0)
        return;
    ck_assert_int_gt(model->nodes[left].key, model->now);
    int64_t next = cordi_heap_next(&model->heap);
    ck_assert(next > model->now && next <= model->nodes[left].key);
    check_slots(&model->heap);
}

/* A length of time of any size, years too. */
static int64_t some_span(void)
{
    return (int64_t)(random_below(UINT64_MAX) >> (10 + random_below(54)));
}

static void random_steps(int64_t begin)
{
    struct model model = { .now = begin };
    cordi_heap_init(&model.heap, model.now);
    for (int step = 0; step < STEPS; step++) {
        int i = (int)random_below(NODES);
        if (random_below(20) == 0)
            advance(&model, some_span() >> random_below(30));
        else if (model.added[i] > 0)
            take_out(&model, i);
        else if (random_below(4) == 0) /* few values, so that many are equal; and some that are past */
            add(&model, i, model.now + (int64_t)random_below(20) - 5);
        else
            add(&model, i, model.now + some_span());
    }
    advance(&model, INT64_MAX - model.now);
    is(model.count, 0);
}

PLAIN_TEST(random_steps_match_a_model)
{
    random_steps(0);
    random_steps(1000000000000);
    random_steps(INT64_C(1) << 61);
}

PLAIN_TEST(keys_around_each_power_of_two_come_in_order)
{
    struct model model = { 0 };
    cordi_heap_init(&model.heap, model.now);
    for (int bit = 61, i = 0; bit >= 4; bit--)
        for (int64_t off = 1; off >= -1; off--)
            add(&model, i++, (INT64_C(1) << bit) + off);
    add(&model, NODES - 1, INT64_MAX);
    add(&model, NODES - 2, INT64_MIN);
    for (int bit = 4; bit <= 61; bit++) {
        advance(&model, (INT64_C(1) << bit) - 2 - model.now);
        is(model.count, (62 - bit) * 3 + 1);
        advance(&model, 1);
        advance(&model, 1);
        is(model.count, (62 - bit) * 3 - 1);
    }
    advance(&model, INT64_MAX - model.now);
    is(model.count, 0);
}

PLAIN_TEST(next_is_exact_until_the_first_is_removed_and_again_after_it_is_asked_for)
{
    struct model model = { .now = 1000 };
    cordi_heap_init(&model.heap, model.now);
    add(&model, 0, 5000000);
    add(&model, 1, 5000100);
    is(cordi_heap_next(&model.heap), 5000000);
    take_out(&model, 0);
    advance(&model, 5000000 - model.now); /* wakes for nothing, once */
    is(cordi_heap_next(&model.heap), 5000100);
    is(model.count, 1);
}

PLAIN_TEST(many_nodes_come_out_in_order)
{
    struct cordi_heap heap;
    struct cordi_heap_node *nodes = calloc(MANY, sizeof *nodes), *node;
    int64_t before = -1;
    int count = 0;
    ck_assert_ptr_nonnull(nodes);
    cordi_heap_init(&heap, 0);
    for (int i = 0; i < MANY; i++) {
        nodes[i].key = (int64_t)random_below(1000000);
        cordi_heap_add(&heap, &nodes[i]);
    }
    for (; (node = cordi_heap_due(&heap, 1000000)) != NULL; count++) {
        ck_assert_int_ge(node->key, before);
        before = node->key;
        cordi_heap_remove(&heap, node);
    }
    is(count, MANY);
    free(nodes);
}

PLAIN_TEST(removing_a_node_twice_is_harmless)
{
    struct model model = { 0 };
    cordi_heap_init(&model.heap, model.now);
    add(&model, 0, 1);
    add(&model, 1, 1);
    take_out(&model, 0);
    cordi_heap_remove(&model.heap, &model.nodes[0]);
    advance(&model, 0);
    is(model.count, 1);
    take_out(&model, 1);
    cordi_heap_remove(&model.heap, &model.nodes[1]);
    ck_assert(cordi_heap_empty(&model.heap));
}

int main(void)
{
    return run_tests("heap", PLAIN(random_steps_match_a_model), PLAIN(keys_around_each_power_of_two_come_in_order),
                     PLAIN(next_is_exact_until_the_first_is_removed_and_again_after_it_is_asked_for),
                     PLAIN(many_nodes_come_out_in_order), PLAIN(removing_a_node_twice_is_harmless), END);
}
