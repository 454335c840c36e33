/* sys/stack.h - stacks for coroutines, each with a guard below it.
 *
 * Stacks are cut from slabs: one mapping for hundreds of them, so that a hundred thousand stacks need some two hundred
 * mappings and not more than vm.max_map_count allows. Memory comes when it is touched; huge pages are refused, since
 * one would make a stack of one page cost all of it. There are classes of sizes, powers of two from 64 KiB to 8 MiB;
 * a larger stack is a mapping of its own.
 *
 * The guard is put in at a stack's first use and stays. MADV_GUARD_INSTALL (Linux 6.13) makes it without splitting the
 * mapping. Emulators may ignore that call and answer 0, so each slab tries once whether the kernel can read a guard.
 * Where it does not work mprotect(2) serves, for at most a quarter of vm.max_map_count stacks, since each takes two
 * mappings; stacks beyond that have no guard, and say so.
 *
 * A loop keeps the stacks that its coroutines gave back in a cache of its own, last in first out, and takes no lock for
 * them: their pages are warm. It exchanges them with the pool by the dozen. In the pool a stack that was not needed for
 * a second gives its memory back, many with one call, when a loop is idle. Not its top page: every task touches that.
 * Trimming at once above a fixed amount was left: a crowd that comes and goes paid for it each time.
 */
#ifndef CORDI_SYS_STACK_H
#define CORDI_SYS_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CORDI_STACK_GUARD = 65536, CORDI_STACK_DEFAULT = 65536 };

struct cordi_stack_slot;

struct cordi_stack {
    char *low;     /* the lowest usable byte; the guard is the CORDI_STACK_GUARD bytes below */
    char *top;     /* where to begin, 64-aligned: below the end by a colour, so that tops do not share cache sets */
    size_t usable; /* bytes from low to the end */
    bool guarded;
    struct cordi_stack_slot *slot; /* its place in a slab; NULL: a mapping of its own */
};

/* Free stacks of the default size, of one thread; zeros: empty. */
struct cordi_stack_cache {
    struct cordi_stack_slot *first;
    uint32_t count;
};

/* A stack of at least `usable` bytes (0: the default). Its contents are undefined. cache: the calling thread's, or
 * NULL. Any thread. Fails: -ENOMEM. */
int cordi_stack_get(struct cordi_stack *ret, size_t usable, struct cordi_stack_cache *cache);

/* Gives it back; the caller does not run on it. *stack itself may lie on the stack. */
void cordi_stack_put(const struct cordi_stack *stack, struct cordi_stack_cache *cache);

/* Empties it into the pool, which then keeps little memory. */
void cordi_stack_cache_close(struct cordi_stack_cache *cache);

/* For a loop that is about to sleep: gives some memory of free stacks back if it is time to. Answers after how many ns
 * to call again, also when there is nothing else to do; -1: there is no need. */
int64_t cordi_stack_idle(void);

/* Around fork(2), so that the child finds the free lists whole. */
void cordi_stack_before_fork(void);
void cordi_stack_after_fork(void);

#endif
