/* rt/debug.h - what tells a user why his program stands still: CORD_DEBUG in the environment.
 *
 * The choices are bits of one word that is set before the first task, so that a path which asks for one of them pays a
 * plain load and a branch that is never taken. With `dump` or `turns` a loop notes which coroutine it runs, and since
 * when; with `dump` a task notes when its wait began, and for which descriptor or lock, and a table tells who took a
 * lock where. The report itself is dump.h.
 */
#ifndef CORDI_RT_DEBUG_H
#define CORDI_RT_DEBUG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rt/runtime.h"

struct cord_task;
struct cordi_loop;
struct cordi_records;

enum { CORDI_DEBUG_DUMP = 1, CORDI_DEBUG_TURNS = 2, CORDI_DEBUG_STACKS = 4 };

/* Is one of these asked for? */
static inline bool cordi_debug(uint32_t what)
{
    return __builtin_expect(atomic_load_explicit(&cordi_runtime.debug, memory_order_relaxed) & what, 0) != 0;
}

/* Of a loop. A turn here is one resume of a coroutine. */
struct cordi_loop_debug {
    _Atomic uint64_t lock;        /* spin bit over name, started_at and begun; the loop writes them */
    char name[32];                /* of the coroutine that runs */
    const void *started_at;       /* the same of it */
    int64_t begun;                /* its turn; 0: none runs */
    unsigned budget;              /* the loop's, which is 0 meanwhile, so that each turn comes back to the scheduler */
    _Atomic uint32_t asked;       /* records.c; a futex word */
    _Atomic uint32_t askers;      /* the loop does not end while it is not 0 */
    struct cordi_records *answer; /* of the loop, to be freed by who asked */
};

/* Of a task, with `dump`: of its last wait. */
struct cordi_wait_note {
    _Atomic int64_t since;
    _Atomic int fd;                 /* that it waits for, -1: none */
    _Atomic(const uint64_t *) lock; /* that it waits for, by its word that names the owner; NULL: none */
};
void cordi_debug_wait_begins(struct cord_task *self);
void cordi_debug_wait_fd(struct cord_task *self, int fd);

/* With `dump`: the calling task has taken the lock of that word; and who was the last to do so, "" if not known. */
void cordi_debug_lock_taken(const uint64_t *owner, const void *taken_at);
void cordi_debug_holder(const uint64_t *owner, char name[32], const void **taken_at);

/* Reads CORD_DEBUG; a word that is no choice is named in the log. */
void cordi_debug_start(void);
void cordi_debug_after_fork(void); /* in the child */

/* Around each turn, with `dump` or `turns`: reports a turn that was too long. */
void cordi_debug_turn_begins(struct cordi_loop *loop, const struct cord_task *task);
void cordi_debug_turn_ends(struct cordi_loop *loop);

#endif
