/* tests/heap.c - the heap of timers against a model, with random steps. */
#include "support.h"

#include <stdlib.h>

#include "base/heap.h"

enum { NODES = 300, STEPS = 40000, LONG = 100000 };

static uint64_t state = 88172645463325252u;

static unsigned random_below(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % limit;
}

/* The model: the least key of the nodes that are in. */
static int64_t least(const struct cordi_heap_node *nodes)
{
    int64_t key = INT64_MAX;
    for (int i = 0; i < NODES; i++)
        if (cordi_heap_holds(&nodes[i]) && nodes[i].key < key)
            key = nodes[i].key;
    return key;
}

PLAIN_TEST(random_steps_match_a_model)
{
    struct cordi_heap heap = { 0 };
    struct cordi_heap_node nodes[NODES] = { 0 };
    long count = 0;
    for (int step = 0; step < STEPS; step++) {
        struct cordi_heap_node *node = &nodes[random_below(NODES)];
        if (step % 5 == 0 && count > 0)
            node = cordi_heap_first(&heap);
        if (cordi_heap_holds(node)) {
            cordi_heap_remove(&heap, node);
            ck_assert(!cordi_heap_holds(node));
            count--;
        } else {
            node->key = (int64_t)random_below(200) - 100; /* few values, so that many are equal */
            cordi_heap_add(&heap, node);
            count++;
        }
        is(cordi_heap_validate(&heap), count);
        if (count > 0)
            is(cordi_heap_first(&heap)->key, least(nodes));
        else
            ck_assert_ptr_null(cordi_heap_first(&heap));
    }
}

PLAIN_TEST(nodes_come_out_in_order)
{
    struct cordi_heap heap = { 0 };
    struct cordi_heap_node *nodes = calloc(LONG, sizeof *nodes);
    ck_assert_ptr_nonnull(nodes);
    for (int i = 0; i < LONG; i++) {
        nodes[i].key = random_below(1000000);
        cordi_heap_add(&heap, &nodes[i]);
    }
    int64_t before = -1;
    for (int i = 0; i < LONG; i++) {
        struct cordi_heap_node *first = cordi_heap_first(&heap);
        ck_assert_int_ge(first->key, before);
        before = first->key;
        cordi_heap_remove(&heap, first);
    }
    ck_assert_ptr_null(cordi_heap_first(&heap));
    free(nodes);
}

PLAIN_TEST(removing_a_node_in_no_heap_is_harmless)
{
    struct cordi_heap heap = { 0 };
    struct cordi_heap_node in = { .key = 1 }, out = { .key = 0 };
    cordi_heap_add(&heap, &in);
    cordi_heap_remove(&heap, &out);
    is(cordi_heap_validate(&heap), 1);
    cordi_heap_remove(&heap, &in);
    cordi_heap_remove(&heap, &in);
    is(cordi_heap_validate(&heap), 0);
}

int main(void)
{
    return run_tests("heap", PLAIN(random_steps_match_a_model), PLAIN(nodes_come_out_in_order),
                     PLAIN(removing_a_node_in_no_heap_is_harmless), END);
}
