/* rt/io_slot.h - a slot of the table of descriptors; for io.c, io_verbs.c and the backends. */
#ifndef CORDI_RT_IO_SLOT_H
#define CORDI_RT_IO_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <cordage/time.h>

#include "base/list.h"
#include "rt/handle.h"
#include "rt/park.h"

enum { TURN_FREE = 0, TURN_TAKEN = 1, TURN_WANTED = 2 /* taken, and look at the queue when it ends */ };

struct cordi_direction_state {
    _Atomic uint32_t turn;
    bool ready;                            /* an event came and nobody waited; under the spin bit */
    bool drained;                          /* the turn holder's: see io.c */
    _Atomic bool ended;                    /* the peer has finished: no event comes after that, so never wait first */
    _Atomic(struct cordi_waiter *) waiter; /* for readiness: the turn's holder; under the spin bit */
    struct cordi_list queue;               /* who waits for the turn; under the spin bit */
};

/* Two cache lines: what reading needs, then the rest. */
struct cordi_io {
    _Alignas(64) _Atomic uint64_t word; /* handle.h */
    _Atomic uint64_t bits;              /* bit 0: spin */
    _Atomic(void *) data;               /* net's; atomic for cordi_io_expect_waiter(), which may look at any time */
    int fd;
    int16_t type;   /* SOCK_STREAM...; 0: no socket */
    int8_t patient; /* accept, connect: 1 the descriptor is in blocking mode, so ask first; 0 not; -1 unknown */
    struct cordi_direction_state direction[2]; /* a free slot is in the table's list by direction[0].queue */
    struct cordi_waiter *closer;
    uint32_t index;
    struct cordi_loop
        *home; /* whose backend has it, NULL: none; under the spin bit, set to NULL before the loop is gone */
};

static inline uint64_t cordi_io_handle(const struct cordi_io *io)
{
    return (uint64_t)cordi_handle_generation(atomic_load_explicit(&io->word, memory_order_relaxed)) << 32 |
           (io->index + 1);
}

/* After cordi_handle_close(): until the last user has left. */
void cordi_io_wait_for_users(struct cordi_io *io);

/* Under the spin bit: takes a closer that waits; not NULL: a wake is owed to it. */
struct cord_task *cordi_io_claim_closer(struct cordi_io *io);

/* For a backend with many events in hand: fetches the slot's, then the waiter's memory ahead of cordi_io_event(). */
void cordi_io_expect(uint64_t handle);
void cordi_io_expect_waiter(uint64_t handle);

#endif
