/* sync/shared.h - the objects that several processes use: the other implementation behind the calls of lock.h and
 * queue.h, chosen by CORDI_RING_SHARED in the object's word.
 *
 * Each object has two mappings: one that the family shares, and one of the same address in which every process has
 * bytes of its own, zeroed in a child. In the second lie the *gates*: ordinary locks, which the waiters of one process
 * pass one at a time, so that a process sleeps at most once on a word, however many of its tasks wait. That bounds the
 * helper threads that coroutines need, makes the waiters of one process first come, first served, and lets a release
 * wake everybody that sleeps: there are never more sleepers than processes. Waking one only was rejected: if it is
 * killed before it has acted, the others sleep for ever.
 */
#ifndef CORDI_SYNC_SHARED_H
#define CORDI_SYNC_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordage/lock.h>
#include <cordage/queue.h>

#include "rt/park.h"
#include "sync/ring.h"

/* What is common to both kinds of queue. */
struct cord_queue {
    _Atomic uint64_t word; /* CORDI_RING_SPIN, CORDI_RING_SHARED */
    size_t item_size;
    size_t capacity;
};

static inline bool cordi_nowait(cord_deadline deadline)
{
    return deadline.at == INT64_MIN;
}

static inline bool cordi_is_shared(const uint64_t *word)
{
    return (atomic_load_explicit((const _Atomic uint64_t *)word, memory_order_relaxed) & CORDI_RING_SHARED) != 0;
}

/* sync/lock.c: takes a local lock without noting an owner, which is what a gate needs. -EAGAIN, -ETIMEDOUT, and
 * -ECANCELED when it is cancellable. */
int cordi_lock_take(cord_lock *lock, cord_deadline deadline, int cancellable);
void cordi_lock_give(cord_lock *lock);

/* What each process has of a lock for itself. */
struct cordi_shared_own {
    cord_lock gate;            /* its waiters */
    _Atomic uint64_t identity; /* the process's own name, sys/identity.h; 0: not asked for yet */
};

/* A lock that several processes use. */
struct cordi_shared_lock {
    cord_lock base;         /* what the user holds: the word with CORDI_RING_SHARED, the owning task */
    _Atomic uint64_t state; /* see shared_lock.c */
    _Atomic uint64_t heir;  /* the process that the next release hands it to; 0: none */
    struct cordi_shared_own *own;
};

void cordi_shared_lock_init(struct cordi_shared_lock *lock, struct cordi_shared_own *own);
int cordi_shared_lock_new(cord_lock **ret);
void cordi_shared_lock_free(cord_lock *lock);
bool cordi_shared_lock_held(const struct cordi_shared_lock *lock);
int cordi_shared_lock_acquire(struct cordi_shared_lock *lock, cord_deadline deadline);
int cordi_shared_lock_release(struct cordi_shared_lock *lock);

int cordi_shared_event_new(cord_event **ret);
void cordi_shared_event_free(cord_event *event);
void cordi_shared_event_set(cord_event *event);
void cordi_shared_event_clear(cord_event *event);
bool cordi_shared_event_is_set(const cord_event *event);
int cordi_shared_event_wait(cord_event *event, cord_deadline deadline);

int cordi_shared_queue_new(cord_queue **ret, size_t item_size, size_t capacity);
void cordi_shared_queue_free(cord_queue *queue);
int cordi_shared_queue_put(cord_queue *queue, const void *item, cord_deadline deadline);
int cordi_shared_queue_get(cord_queue *queue, void *item, cord_deadline deadline);
size_t cordi_shared_queue_size(const cord_queue *queue);

/* sync/shared.c: the two mappings of an object, the second one in *own. */
int cordi_shared_object_new(void **ret, size_t size, void **own, size_t own_size);
void cordi_shared_object_free(void *object, void *own, size_t own_size);

/* Sleeps while the low half of the word is `expected`, in the way of the calling task's kind: a coroutine by a helper
 * thread. 0 means: look again. -ETIMEDOUT, -ENOMEM; when cancellable -ECANCELED, and then a helper may still sleep:
 * the caller changes the word and wakes all of it. */
int cordi_shared_sleep(_Atomic uint64_t *word, uint32_t expected, int cancellable, cord_deadline deadline);
void cordi_shared_wake(_Atomic uint64_t *word);

#endif
