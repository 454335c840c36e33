/* rt/inbox.h - what other threads send to a loop, and who ends its sleep. No OS calls here: the loop knows how to sleep
 * and how to be woken, and tests/interleave drives this file through every schedule.
 *
 *     sender                                       owner
 *     1 push: count itself, link the item,         1 sleep: set `asleep`, then look at the list: with an item there
 *       then look at `asleep`: set? take it back,    it does not sleep
 *       and the sleep is this sender's to end      2 sleep until an event ends it; awake
 *     2 end the sleep, if told so                  3 take all items, first come first
 *     3 pushed: not counted any more               before it vanishes: wait until nobody is counted
 *
 * INVARIANT. While an item is in the list, the owner is awake and will take it, or `asleep` is set and a sender of the
 * list is about to look at it, or a sender has taken `asleep` back and owes the owner the end of its sleep. It holds
 * because both sides store first and look then, all of it sequentially consistent: one of the two sees the other.
 * (With release and acquire each could miss the other.) An owner that is awake costs its senders no system call.
 * From the moment an item is linked it may be taken, run and freed, and the owner may find that there is nothing left
 * to wait for: `senders` is what keeps the inbox itself there until the sender's last touch.
 *
 * An item is the link of a list that it is not in meanwhile; of its two pointers only `next` is used here.
 */
#ifndef CORDI_RT_INBOX_H
#define CORDI_RT_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alone.h"
#include "base/list.h"

struct cordi_inbox { /* two cache lines and nothing besides: the loop writes what is around it all the time */
    char before[56];
    _Atomic uint32_t asleep;  /* the owner sleeps, or is about to, and nobody has ended it yet */
    _Atomic uint32_t senders; /* between push and pushed */
    char between[56];
    _Atomic(struct cordi_list *) last; /* what was sent, last first, by `next`; of an awake owner this alone is read */
    char behind[56];
};

/* Of somebody who knows that the owner is there: true: it slept, and the caller ends that. */
static inline bool cordi_inbox_rouse(struct cordi_inbox *inbox)
{
    return atomic_load(&inbox->asleep) && atomic_exchange(&inbox->asleep, 0);
}

/* True: the caller ends the owner's sleep. Either way it calls cordi_inbox_pushed() then, its last touch. */
static inline bool cordi_inbox_push(struct cordi_inbox *inbox, struct cordi_list *item)
{
    atomic_fetch_add(&inbox->senders, 1);
    struct cordi_list *last = NULL; /* most likely */
    do
        item->next = last;
    while (!atomic_compare_exchange_weak(&inbox->last, &last, item)); /* from here on the item is the owner's */
    return cordi_inbox_rouse(inbox);
}

static inline void cordi_inbox_pushed(struct cordi_inbox *inbox)
{
    atomic_fetch_sub(&inbox->senders, 1);
}

/* The rest is for the owner. A look, when it does not sleep. */
static inline bool cordi_inbox_empty(struct cordi_inbox *inbox)
{
    cordi_word_expect(&inbox->last); /* a sender wants the line once, and who finds an item changes it next */
    return atomic_load_explicit(&inbox->last, memory_order_relaxed) == NULL;
}

/* Takes all: the first that came, linked by `next` to a NULL at the end; NULL: none. */
static inline struct cordi_list *cordi_inbox_take(struct cordi_inbox *inbox)
{
    if (cordi_inbox_empty(inbox))
        return NULL;
    struct cordi_list *item = atomic_exchange(&inbox->last, NULL), *turned = NULL;
    while (item != NULL) {
        struct cordi_list *next = item->next;
        item->next = turned;
        turned = item;
        item = next;
    }
    return turned;
}

/* False: there is an item, so it must not sleep. Either way it calls cordi_inbox_awake() then. */
static inline bool cordi_inbox_sleep(struct cordi_inbox *inbox)
{
    atomic_store(&inbox->asleep, 1);
    return atomic_load(&inbox->last) == NULL;
}

static inline void cordi_inbox_awake(struct cordi_inbox *inbox)
{
    atomic_store_explicit(&inbox->asleep, 0, memory_order_relaxed);
}

static inline bool cordi_inbox_in_use(struct cordi_inbox *inbox)
{
    return atomic_load(&inbox->senders) > 0;
}

#endif
