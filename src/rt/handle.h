/* rt/handle.h - the word of a socket's slot: generation, closing, users. No system calls, so that a model checker can
 * read it.
 *
 *     bits 63..32 generation    31 closing    30..0 users
 *
 * INVARIANT. A call enters only while the generation is its handle's and `closing` is not set; `closing` is set once
 * in a generation; the generation moves on only when `closing` is set and users is 0. So a descriptor is closed after
 * the last call has left, and a stale handle never enters. Whoever takes users to 0 while closing tells the closer.
 */
#ifndef CORDI_RT_HANDLE_H
#define CORDI_RT_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alone.h"

#define CORDI_CLOSING ((uint64_t)1 << 31)
#define CORDI_USERS (CORDI_CLOSING - 1)

static inline uint32_t cordi_handle_generation(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline bool cordi_handle_enter(_Atomic uint64_t *word, uint32_t generation)
{
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
    do
        if (cordi_handle_generation(seen) != generation || (seen & CORDI_CLOSING))
            return false;
    while (!cordi_word_swap(word, &seen, seen + 1));
    return true;
}

/* True: the caller was the last one, and a closer waits. */
static inline bool cordi_handle_leave(_Atomic uint64_t *word)
{
    uint64_t before = cordi_word_add(word, UINT64_MAX);
    return (before & CORDI_CLOSING) && (before & CORDI_USERS) == 1;
}

/* True: the caller closes; nobody enters any more. */
static inline bool cordi_handle_close(_Atomic uint64_t *word, uint32_t generation)
{
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
    do
        if (cordi_handle_generation(seen) != generation || (seen & CORDI_CLOSING))
            return false;
    while (!cordi_word_swap(word, &seen, seen | CORDI_CLOSING));
    return true;
}

static inline bool cordi_handle_closing(const _Atomic uint64_t *word)
{
    return atomic_load(word) & CORDI_CLOSING;
}

static inline bool cordi_handle_empty(const _Atomic uint64_t *word)
{
    return (atomic_load(word) & CORDI_USERS) == 0;
}

/* After a close whose users have left: the next generation, never 0. */
static inline void cordi_handle_renew(_Atomic uint64_t *word)
{
    uint32_t next = cordi_handle_generation(atomic_load(word)) + 1;
    atomic_store(word, (uint64_t)(next ? next : 1) << 32);
}

#endif
