/* bench/guarded.h - what the programs share that measure a contended lock: what it guards.
 *
 * All take from one number of operations until none is left, so that they contend to the end: with a share for each, a
 * lock that is unfair would let the last one work alone. Everybody counts its own, and the sum must be what there was:
 * it is more when two held the lock at once. A crowd of coroutines yields once before it begins: what its start costs,
 * and its end, does not count. */
#ifndef BENCH_GUARDED_H
#define BENCH_GUARDED_H

#include "micro.h"

#include <stdint.h>

enum {
    GUARDED_CROWD = 1000, /* coroutines */
    GUARDED_YIELD = 8     /* with a yield inside at each 8th: without, coroutines of one loop never meet */
};

struct guarded {
    long left, done;
    uint64_t state;
};

/* With the lock: one operation of a few nanoseconds, for the mine-th time. False: none is left. */
static inline int guarded_work(struct guarded *guarded, long mine)
{
    if (guarded->left == 0) {
        guarded->done += mine;
        return 0;
    }
    if (--guarded->left == 0)
        micro_end();
    for (int i = 0; i < 4; i++)
        guarded->state = guarded->state * 6364136223846793005u + 1442695040888963407u;
    return 1;
}

static inline void guarded_check(const struct guarded *guarded, long count)
{
    micro_check(guarded->left == 0 && guarded->done == count, "the lock was held by two at once");
}

#endif
