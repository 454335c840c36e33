/* sync/shared.h - the objects that several processes use: the other implementation behind the calls of lock.h, event.h
 * and queue.h, chosen by CORDI_RING_SHARED in the object's word.
 *
 * An object lies in memory of the family (sys/shm.h). Each process has bytes of its own for it, zeroed in a child.
 * There lie the *gates*: ordinary locks, which the waiters of one process pass one at a time, so that a process sleeps
 * at most once on a word, however many of its tasks wait. That bounds what sleeps in the kernel, makes the waiters of
 * one process first come, first served, and lets a release wake everybody that sleeps: there are never more sleepers
 * than processes. Waking one only was rejected: if it is killed before it has acted, the others sleep for ever.
 */
#ifndef CORDI_SYNC_SHARED_H
#define CORDI_SYNC_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordage/event.h>
#include <cordage/lock.h>
#include <cordage/queue.h>

#include "rt/park.h"
#include "rt/words.h"
#include "sys/shm.h"
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

/* sync/lock.c: the calling task holds this lock, local or shared. */
bool cordi_lock_mine(const cord_lock *lock);

/* sync/condition.c: cord_condition_wait() by another name in reports ("a barrier"); static. */
int cordi_condition_wait(cord_condition *condition, cord_lock *lock, cord_deadline deadline, const char *what);

/* What each process has of an object for itself: the same for all sorts, since the memory may serve another object
 * later. Zeros are ready. */
struct cordi_shared_own {
    cord_lock gate[3];           /* its waiters; of a queue: who gets, who puts, who joins */
    _Atomic uint64_t bits;       /* of a condition, see shared_condition.c: spin bit over what follows */
    struct cordi_list followers; /* its tasks that wait */
    bool led;                    /* one of them sleeps for all */
};
_Static_assert(sizeof(struct cordi_shared_own) <= CORDI_SHM_OWN, "what a process has of each block");

static inline struct cordi_shared_own *cordi_shared_own(const void *object)
{
    return cordi_shm_own(object);
}

/* A lock that several processes use. */
struct cordi_shared_lock {
    cord_lock base;         /* what the user holds: the word with CORDI_RING_SHARED, the owning task */
    _Atomic uint64_t state; /* see shared_lock.c */
    _Atomic uint64_t heir;  /* the process that the next release hands it to; 0: none */
};

void cordi_shared_lock_init(struct cordi_shared_lock *lock);
int cordi_shared_lock_new(cord_lock **ret);
void cordi_shared_lock_free(cord_lock *lock);
bool cordi_shared_lock_held(const struct cordi_shared_lock *lock);
int cordi_shared_lock_acquire(struct cordi_shared_lock *lock, cord_deadline deadline);
int cordi_shared_lock_release(struct cordi_shared_lock *lock);
bool cordi_shared_lock_mine(const struct cordi_shared_lock *lock); /* the calling task holds it */

int cordi_shared_event_new(cord_event **ret);
void cordi_shared_event_free(cord_event *event);
void cordi_shared_event_set(cord_event *event);
void cordi_shared_event_clear(cord_event *event);
bool cordi_shared_event_is_set(const cord_event *event);
int cordi_shared_event_wait(cord_event *event, cord_deadline deadline);

int cordi_shared_queue_new(cord_queue **ret, size_t item_size, size_t capacity, int flags);
void cordi_shared_queue_free(cord_queue *queue);
int cordi_shared_queue_put(cord_queue *queue, const void *item, cord_deadline deadline);
int cordi_shared_queue_get(cord_queue *queue, void *item, cord_deadline deadline);
size_t cordi_shared_queue_size(const cord_queue *queue);

/* Adds and takes the same fields as the local ones; see shared_condition.c, shared_semaphore.c. */
int cordi_shared_condition_new(cord_condition **ret);
void cordi_shared_condition_free(cord_condition *condition);
int cordi_shared_condition_wait(cord_condition *condition, cord_lock *lock, cord_deadline deadline);
int cordi_shared_condition_notify(cord_condition *condition, uint32_t count);

int cordi_shared_sem_new(cord_sem **ret, uint32_t value, uint32_t limit);
void cordi_shared_sem_free(cord_sem *sem);
int cordi_shared_sem_acquire(cord_sem *sem, cord_deadline deadline);
int cordi_shared_sem_release(cord_sem *sem, uint32_t count);
uint32_t cordi_shared_sem_value(const cord_sem *sem);

/* For queue.c: what the shared queue has beyond put and get; see queue.h of the public headers. */
int cordi_shared_queue_sort_by(cord_queue *queue, int (*compare)(const void *, const void *));
int cordi_shared_queue_put_bytes(cord_queue *queue, const void *bytes, size_t size, cord_deadline deadline);
ssize_t cordi_shared_queue_get_bytes(cord_queue *queue, void *buf, size_t size, cord_deadline deadline);
ssize_t cordi_shared_queue_next_size(const cord_queue *queue);
int cordi_shared_queue_task_done(cord_queue *queue);
int cordi_shared_queue_join(cord_queue *queue, cord_deadline deadline);
void cordi_shared_queue_shutdown(cord_queue *queue, bool immediate);

/* sync/shared.c: memory for an object, whose name is for the sentence of a failure. */
int cordi_shared_object_new(void **ret, size_t size, const char *name);

/* For a wait at several objects. try: 0, -EAGAIN, -EPIPE; no sentence is left. listen: 0: what is wanted may be there
 * now; -EAGAIN: not yet, and *sleep says what to sleep on (with cordi_words_add). -EPIPE as from put and get. A
 * listener that leaves needs to say nothing. */
uint64_t cordi_shared_event_count(const cord_event *event); /* how often it was set */
int cordi_shared_sem_try(cord_sem *sem);
int cordi_shared_queue_try(cord_queue *queue, void *item, bool put);
int cordi_shared_event_listen(cord_event *event, struct cordi_sleep *sleep);
int cordi_shared_sem_listen(cord_sem *sem, struct cordi_sleep *sleep);
int cordi_shared_queue_listen(cord_queue *queue, bool put, struct cordi_sleep *sleep);

/* What to sleep on: the low half of the word, while it is `expected`. deaths: cordi_deaths() before the look at it. */
struct cordi_sleep cordi_shared_sleep_on(_Atomic uint64_t *word, uint64_t expected, uint32_t deaths, const char *what);

/* Sleeps while the low half of the word is `expected`; `deaths` is what cordi_deaths() was before the look at the
 * object. 0: look again. As cordi_sleep_on(). */
int cordi_shared_sleep(_Atomic uint64_t *word, uint32_t expected, uint32_t deaths, const char *what, int cancellable,
                       cord_deadline deadline);
void cordi_shared_wake(_Atomic uint64_t *word);

#endif
