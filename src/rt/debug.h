/* rt/debug.h - what tells a user why his program stands still: CORD_DEBUG in the environment.
 *
 * The choices are bits of one word that is set before the first task, so that a path which asks for one of them pays a
 * plain load and a branch that is never taken.
 */
#ifndef CORDI_RT_DEBUG_H
#define CORDI_RT_DEBUG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rt/runtime.h"

enum { CORDI_DEBUG_DUMP = 1, CORDI_DEBUG_TURNS = 2, CORDI_DEBUG_STACKS = 4 };

/* Is one of these asked for? */
static inline bool cordi_debug(uint32_t what)
{
    return __builtin_expect(atomic_load_explicit(&cordi_runtime.debug, memory_order_relaxed) & what, 0) != 0;
}

/* Reads CORD_DEBUG; a word that is no choice is named in the log. */
void cordi_debug_start(void);

#endif
