/* sync/event.c - the event for tasks of one process, of every kind.
 *
 * One word holds the flag SET and the ring of waiters (ring.h). set claims every waiter of that moment under the spin
 * bit, before it lets the bit go: so they are woken however soon a clear follows. A waiter that was claimed answers 0
 * without looking again.
 *
 * A set in a signal handler is the same, unless its thread is in a section of the library: then the end of that does it
 * (late.h).
 *
 * THE INVARIANT: there are waiters in the ring only while SET is not there, since a waiter enters under the spin bit
 * when it sees the flag cleared, and set empties the ring.
 */
#include <cordage/event.h>

#include <errno.h>
#include <stdlib.h>

#include "rt/park.h"
#include "sync/late.h"
#include "sync/ring.h"
#include "sync/select.h"
#include "sync/shared.h"

#define SET CORDI_RING_FLAG

static _Atomic uint64_t *word_of(cord_event *event)
{
    return (_Atomic uint64_t *)&event->word;
}

bool cord_event_is_set(const cord_event *event)
{
    if (cordi_is_shared(&event->word))
        return cordi_shared_event_is_set(event);
    return (atomic_load_explicit((const _Atomic uint64_t *)&event->word, memory_order_acquire) & SET) != 0;
}

void cord_event_set(cord_event *event)
{
    cordi_word_expect(event);
    if (cordi_is_shared(&event->word)) {
        cordi_shared_event_set(event);
        return;
    }
    if (cordi_in_section()) { /* this is a signal handler */
        cordi_late_set(event);
        return;
    }
    uint64_t now = 0;
    if (cordi_word_swap(word_of(event), &now, SET))
        return;
    struct cordi_list claimed;
    struct cordi_waiter *first;
    cordi_list_init(&claimed);
    now = cordi_ring_lock(word_of(event));
    while ((first = cordi_ring_first(now)) != NULL) {
        cordi_word_expect(first);
        now = cordi_ring_remove(now, first);
        if (cordi_waiter_claim(first)) /* else it is on its way out, and its node is no longer ours */
            cordi_list_append(&claimed, &first->link);
    }
    cordi_ring_let_go(word_of(event), now | SET);
    cordi_wake_list_end_section(&claimed);
}

void cord_event_clear(cord_event *event)
{
    if (cordi_is_shared(&event->word)) {
        cordi_shared_event_clear(event);
        return;
    }
    uint64_t now = cordi_ring_lock(word_of(event));
    cordi_ring_unlock(word_of(event), now & ~SET);
}

int cord_event_wait(cord_event *event, cord_deadline deadline)
{
    if (cordi_is_shared(&event->word))
        return cordi_shared_event_wait(event, deadline);
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for an event");
    if (cord_event_is_set(event))
        return 0;
    if (cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, "event: it is not set, and the call may not wait");
    struct cordi_waiter node;
    cordi_wait_begin_at_bit(&node, CORDI_CANCELLABLE, "an event");
    uint64_t now = cordi_ring_lock(word_of(event));
    if (now & SET) {
        cordi_ring_unlock(word_of(event), now);
        cordi_wait_abandon();
        return 0;
    }
    cordi_ring_unlock(word_of(event), cordi_ring_append(now, &node));
    int rc = cordi_park(deadline);
    if (rc < 0)
        cordi_ring_leave(word_of(event), &node);
    return rc;
}

/* --- for select --- */

int cordi_event_try(cord_event *event, struct cordi_waiter *node)
{
    int rc = -EAGAIN;
    uint64_t now = cordi_ring_lock(word_of(event));
    if (!(now & SET)) {
        if (node != NULL)
            now = cordi_ring_append(now, node);
    } else if (node == NULL || cordi_wait_claim())
        rc = 0;
    cordi_ring_unlock(word_of(event), now);
    return rc;
}

void cordi_event_leave(cord_event *event, struct cordi_waiter *node)
{
    cordi_ring_leave(word_of(event), node);
}

/* --- the object --- */

int cord_event_new(cord_event **ret, int flags)
{
    if (flags & CORD_SHARED)
        return cordi_shared_event_new(ret);
    cord_event *event = calloc(1, sizeof *event);
    if (event == NULL)
        return cordi_fail_code(-ENOMEM, "event");
    *ret = event;
    return 0;
}

void cord_event_free(cord_event *event)
{
    if (event != NULL && cordi_is_shared(&event->word))
        cordi_shared_event_free(event);
    else
        free(event);
}
