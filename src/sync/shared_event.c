/* sync/shared_event.c - the event of several processes.
 *
 * All of it is one word: {how often it was set, turn, WAITERS, SET}. Its low half is the futex; the turn makes that
 * half differ after each change. set is one compare-and-swap, and a wake when somebody sleeps. A waiter answers when
 * the event is set, or was set since the wait began: so it also answers when a clear followed at once.
 *
 * A process that is killed in set, between the two, leaves the event set and its sleepers asleep: its death wakes them
 * (rt/words.h). A lock round both would make set wait, and forbid it to signal handlers.
 */
#include "sync/shared.h"

#include <errno.h>

#define SET ((uint32_t)1)
#define WAITERS ((uint32_t)2)
#define TURN ((uint32_t)4)

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

/* With the gate: until it was set since `start`. */
static int sleep_until_set(cord_event *event, uint64_t start, cord_deadline deadline)
{
    for (;;) {
        uint32_t deaths = cordi_deaths();
        uint64_t now = atomic_load(state_of(event));
        if (now & SET || now >> 32 != start >> 32)
            return 0;
        if (!(now & WAITERS) && !atomic_compare_exchange_strong(state_of(event), &now, now | WAITERS))
            continue;
        int rc = cordi_shared_sleep(state_of(event), (uint32_t)now | WAITERS, deaths, "an event", CORDI_CANCELLABLE,
                                    deadline);
        if (rc < 0)
            return rc;
    }
}

int cordi_shared_event_wait(cord_event *event, cord_deadline deadline)
{
    cord_lock *gate = &cordi_shared_own(event)->gate[0];
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

uint64_t cordi_shared_event_count(const cord_event *event)
{
    return atomic_load((const _Atomic uint64_t *)&event->changes) >> 32;
}

int cordi_shared_event_listen(cord_event *event, struct cordi_sleep *sleep)
{
    uint32_t deaths = cordi_deaths();
    uint64_t now = atomic_fetch_or(state_of(event), WAITERS);
    *sleep = cordi_shared_sleep_on(state_of(event), now | WAITERS, deaths, "an event");
    return now & SET ? 0 : -EAGAIN;
}

int cordi_shared_event_new(cord_event **ret)
{
    void *made;
    int rc = cordi_shared_object_new(&made, sizeof(cord_event), "event");
    if (rc < 0)
        return rc;
    cord_event *event = made;
    event->word = CORDI_RING_SHARED;
    *ret = event;
    return 0;
}

void cordi_shared_event_free(cord_event *event)
{
    cordi_shm_free(event);
}
