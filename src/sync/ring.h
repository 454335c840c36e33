/* sync/ring.h - the waiters of a lock or event, in one word: the address of the first one and four flags.
 *
 * A waiter is aligned to 16 bytes, so its address leaves four bits. The others hang on the first one as a ring in the
 * order they came; its `prev` is the last. The ring has no head of its own, so "self-linked" does not tell a lonely
 * waiter from one in no ring: that is what waiter.item says here.
 *
 * All of this is done by the holder of the spin bit, and as long as that bit is set nobody else writes the word: the
 * functions work on a copy, which the holder then stores without the bit.
 */
#ifndef CORDI_SYNC_RING_H
#define CORDI_SYNC_RING_H

#include <stdatomic.h>
#include <stdint.h>

#include "rt/park.h"

#define CORDI_RING_FLAG ((uint64_t)1)   /* the object's state: locked, set */
#define CORDI_RING_SPIN ((uint64_t)2)   /* the ring is being changed */
#define CORDI_RING_SHARED ((uint64_t)4) /* the object is of the shared_*.c kind; nothing else here holds for it */
#define CORDI_RING_WOKEN ((uint64_t)8)  /* of a lock: one that was claimed is on its way to take it */
#define CORDI_RING_BITS ((uint64_t)15)

static inline uint64_t cordi_ring_lock(_Atomic uint64_t *word)
{
    cordi_section_begin();
    cordi_spin_begin(word, CORDI_RING_SPIN);
    return atomic_load_explicit(word, memory_order_relaxed) & ~CORDI_RING_SPIN;
}

/* Lets the spin bit go, and stays in the section. */
static inline void cordi_ring_let_go(_Atomic uint64_t *word, uint64_t now)
{
    atomic_store_explicit(word, now, memory_order_release);
}

static inline void cordi_ring_unlock(_Atomic uint64_t *word, uint64_t now)
{
    cordi_ring_let_go(word, now);
    cordi_section_end();
}

static inline struct cordi_waiter *cordi_ring_first(uint64_t word)
{
    return (struct cordi_waiter *)(uintptr_t)(word & ~CORDI_RING_BITS);
}

static inline uint64_t cordi_ring_append(uint64_t word, struct cordi_waiter *node)
{
    struct cordi_waiter *first = cordi_ring_first(word);
    node->item = node;
    if (first == NULL)
        return word | (uint64_t)(uintptr_t)node;
    cordi_list_append(&first->link, &node->link);
    return word;
}

/* In front of all others: the place behind the last one, made the first. */
static inline uint64_t cordi_ring_push(uint64_t word, struct cordi_waiter *node)
{
    return (cordi_ring_append(word, node) & CORDI_RING_BITS) | (uint64_t)(uintptr_t)node;
}

/* Harmless for a node that a waker has taken out already. */
static inline uint64_t cordi_ring_remove(uint64_t word, struct cordi_waiter *node)
{
    if (node->item == NULL)
        return word;
    node->item = NULL;
    if (cordi_ring_first(word) == node) {
        word &= CORDI_RING_BITS;
        if (!cordi_list_empty(&node->link))
            word |= (uint64_t)(uintptr_t)CORDI_ITEM(node->link.next, struct cordi_waiter, link);
    }
    cordi_list_remove(&node->link);
    return word;
}

/* A waiter whose wait ended without a waker leaves the ring. */
static inline void cordi_ring_leave(_Atomic uint64_t *word, struct cordi_waiter *node)
{
    uint64_t now = cordi_ring_lock(word);
    cordi_ring_unlock(word, cordi_ring_remove(now, node));
}

#endif
