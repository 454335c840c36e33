/* rt/io_slot.h - a slot of the table of descriptors; for io.c, io_verbs.c and the backends. */
#ifndef CORDI_RT_IO_SLOT_H
#define CORDI_RT_IO_SLOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <cordage/time.h>

#include "base/list.h"
#include "rt/park.h"

enum { TURN_FREE = 0, TURN_TAKEN = 1, TURN_WANTED = 2 /* taken, and look at the queue when it ends */ };

struct cordi_direction_state {
    _Atomic uint32_t turn;
    struct cordi_list queue;     /* who waits for the turn; under the spin bit, as what follows */
    struct cordi_waiter *waiter; /* for readiness: the turn's holder */
    bool ready;                  /* an event came and nobody waited */
    bool drained;                /* the turn holder's: see io.c */
    _Atomic bool ended;          /* the peer has finished: no event comes after that, so never wait first */
};

struct cordi_io {
    _Atomic uint64_t word;  /* handle.h */
    _Atomic uint64_t bits;  /* bit 0: spin */
    struct cordi_list link; /* in the table's free list */
    uint32_t index;
    int fd;
    int type;      /* SOCK_STREAM...; 0: no socket */
    int patient;   /* accept, connect: 1 the descriptor is in blocking mode, so ask first; 0 not; -1 unknown */
    uint32_t home; /* id of the loop whose epoll has it, 0: none; under the spin bit */
    int home_epoll;
    void *data; /* net's */
    struct cordi_waiter *closer;
    struct cordi_direction_state direction[2];
};

/* As cordi_io_wait() for reading from a stream, in a coroutine whose backend receives: with *received other than
 * -EAGAIN the read is made, whatever the answer to the wait is. */
int cordi_io_wait_received(struct cordi_io *io, void *buf, size_t size, cord_deadline deadline, ssize_t *received);

#endif
