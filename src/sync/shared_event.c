/* sync/shared_event.c - the event of several processes.
 *
 * All of it is one word: {how often it was set, turn, WAITERS, SET}. Its low half is the futex; the turn makes that
 * half differ after each change. set is one compare-and-swap, and a wake when somebody sleeps. A waiter answers when
 * the event is set, or was set since the wait began: so it also answers when a clear followed at once.
 *
 * A process that is killed in set, in the few instructions between the two, leaves the event set and its sleepers
 * asleep until their deadline or the next set. A lock round it would heal that and make set wait; it was not worth it.
 */
#include "sync/shared.h"

#include <errno.h>

#define SET ((uint32_t)1)
#define WAITERS ((uint32_t)2)
#define TURN ((uint32_t)4)

struct shared_event {
    cord_event base; /* the word with CORDI_RING_SHARED; the state is in `changes` */
    cord_lock *gate; /* this process's own */
};

static _Atomic uint64_t *state_of(cord_event *event)
{
    return (_Atomic uint64_t *)&event->changes;
}

bool cordi_shared_event_is_set(const cord_event *event)
{
    return (atomic_load((const _Atomic uint64_t *)&event->changes) & SET) != 0;
}

void cordi_shared_event_set(cord_event *event)
{
    uint64_t now = atomic_load(state_of(event)), next;
    do {
        if (now & SET)
            return;
        next = ((now >> 32) + 1) << 32 | ((((uint32_t)now + TURN) | SET) & ~WAITERS);
    } while (!atomic_compare_exchange_weak(state_of(event), &now, next));
    if (now & WAITERS)
        cordi_shared_wake(state_of(event));
}

void cordi_shared_event_clear(cord_event *event)
{
    atomic_fetch_and(state_of(event), ~(uint64_t)SET);
}

/* A helper thread of a cancelled wait may be asleep, or about to be: the word changes, and all look again. */
static void disturb(cord_event *event)
{
    uint64_t now = atomic_load(state_of(event)), next;
    do
        next = (now >> 32) << 32 | (((uint32_t)now + TURN) & ~WAITERS);
    while (!atomic_compare_exchange_weak(state_of(event), &now, next));
    cordi_shared_wake(state_of(event));
}

/* With the gate: until it was set since `start`. */
static int sleep_until_set(cord_event *event, uint64_t start, cord_deadline deadline)
{
    for (;;) {
        uint64_t now = atomic_load(state_of(event));
        if (now & SET || now >> 32 != start >> 32)
            return 0;
        if (!(now & WAITERS) && !atomic_compare_exchange_strong(state_of(event), &now, now | WAITERS))
            continue;
        int rc = cordi_shared_sleep(state_of(event), (uint32_t)now | WAITERS, CORDI_CANCELLABLE, deadline);
        if (rc == -ECANCELED)
            disturb(event);
        if (rc < 0)
            return rc;
    }
}

int cordi_shared_event_wait(cord_event *event, cord_deadline deadline)
{
    cord_lock *gate = ((struct shared_event *)event)->gate;
    uint64_t start = atomic_load(state_of(event));
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for an event");
    if (start & SET)
        return 0;
    if (cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, "event: it is not set, and the call may not wait");
    int rc = cordi_lock_take(gate, deadline, CORDI_CANCELLABLE);
    if (rc == 0) {
        rc = sleep_until_set(event, start, deadline);
        cordi_lock_give(gate);
    }
    uint64_t now = atomic_load(state_of(event));
    if (rc < 0 && (now & SET || now >> 32 != start >> 32))
        return 0; /* what came to pass wins */
    if (rc == -ETIMEDOUT || rc == -ECANCELED)
        return cordi_fail(rc, "%s waiting for an event", rc == -ETIMEDOUT ? "timed out" : "cancelled while");
    return rc;
}

int cordi_shared_event_new(cord_event **ret)
{
    void *made, *own;
    int rc = cordi_shared_object_new(&made, sizeof(struct shared_event), &own, sizeof(cord_lock));
    if (rc < 0)
        return rc;
    struct shared_event *event = made;
    event->base.word = CORDI_RING_SHARED;
    event->gate = own;
    *ret = &event->base;
    return 0;
}

void cordi_shared_event_free(cord_event *event)
{
    cordi_shared_object_free(event, ((struct shared_event *)event)->gate, sizeof(cord_lock));
}
