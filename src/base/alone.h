/* base/alone.h - read-modify-write on words that only threads of this process touch.
 *
 * A locked instruction costs 4.5 ns, and parking and waking one task takes seven. While the process has one thread
 * there is nobody to lock out: then the same is done by a load and a store (the C library does so in its own locks).
 * The flag is the C library's: it is cleared before the first further thread runs, so no operation is half done then.
 *
 * Not for words in memory that other processes see. Those that a signal handler may change in the middle need the swap
 * that is one instruction.
 */
#ifndef CORDI_BASE_ALONE_H
#define CORDI_BASE_ALONE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define CORDI_ALONE (__libc_single_threaded)
#else
#define CORDI_ALONE false
#endif

/* Whether a change of a word, when there are others, makes all stores before it visible before any load after it. */
#ifdef __x86_64__
#define CORDI_CHANGES_ARE_FENCES true
#else
#define CORDI_CHANGES_ARE_FENCES false
#endif

/* Each is sequentially consistent when there are others. The answers are those of <stdatomic.h>. */

static inline uint64_t cordi_word_or(_Atomic uint64_t *word, uint64_t bits)
{
    if (!CORDI_ALONE)
        return atomic_fetch_or(word, bits);
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, old | bits, memory_order_relaxed);
    return old;
}

static inline uint64_t cordi_word_and(_Atomic uint64_t *word, uint64_t bits)
{
    if (!CORDI_ALONE)
        return atomic_fetch_and(word, bits);
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, old & bits, memory_order_relaxed);
    return old;
}

static inline uint64_t cordi_word_add(_Atomic uint64_t *word, uint64_t number)
{
    if (!CORDI_ALONE)
        return atomic_fetch_add(word, number);
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, old + number, memory_order_relaxed);
    return old;
}

/* The line of memory there is going to be changed: it is fetched for that at once, and not first to be read and then,
 * from a CPU far away, once more to be changed. */
static inline void cordi_word_expect(const void *word)
{
#ifdef __x86_64__
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)word));
#else
    __builtin_prefetch(word, 1);
#endif
}

/* May fail without a reason, as the weak one does. */
static inline bool cordi_word_swap(_Atomic uint64_t *word, uint64_t *expected, uint64_t value)
{
    if (!CORDI_ALONE)
        return atomic_compare_exchange_weak(word, expected, value);
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    if (old != *expected) {
        *expected = old;
        return false;
    }
    atomic_store_explicit(word, value, memory_order_relaxed);
    return true;
}

/* The same in one instruction, which a signal handler comes before or after. Without the lock prefix it costs a third.
 */
static inline bool cordi_word_swap_at_once(_Atomic uint64_t *word, uint64_t *expected, uint64_t value)
{
#ifdef __x86_64__
    if (CORDI_ALONE) {
        bool done;
        __asm__ volatile("cmpxchgq %3, %1" : "=@ccz"(done), "+m"(*word), "+a"(*expected) : "r"(value) : "memory");
        return done;
    }
#endif
    return atomic_compare_exchange_weak(word, expected, value);
}

#endif
