/* sync/shared_condition.c - the condition of several processes.
 *
 * Who waits draws a ticket: a place in a ring of words, which says whose process waits there, and later that it is
 * served. notify serves the first tickets that are not, in order, and rings the bell, the word that waiters sleep on.
 * All of it but the serving mark is written by the holder of the user's lock, which wait and notify both need; so there
 * is no lock here, and who dies holding that one leaves nothing half done: a ticket counts with the store to `next`.
 *
 * Of the tasks of one process that wait one *leads*: it sleeps on the bell for all, and when that rings wakes those of
 * its followers that are served. So a process sleeps once, and a notify wakes the kernel's sleepers of other processes
 * once each, however many tasks wait.
 *
 * INVARIANT (of a process): while there are followers, one leads, or one that was claimed is on its way to look whether
 * anybody does. A follower enters the list under the bit, having seen that it is not served and that somebody leads; a
 * leader looks through the list under the bit after each ring; whoever leaves passes the lead on.
 *
 * A process that was killed while it waited has left its tickets: after a death the first who comes removes those.
 * The gates of shared.h would not do here: the first to be served might stand behind one that is not.
 */
#include "sync/shared.h"

#include <errno.h>

#include "sys/fd.h"
#include "sys/identity.h"
#include "sys/proc.h"

#define SERVED ((uint64_t)1 << 31)

#ifndef TICKETS
#define TICKETS 16384 /* tests/interleave has fewer */
#endif

struct shared_condition {
    cord_condition base;               /* the word with CORDI_RING_SHARED, the lock */
    _Atomic uint64_t bell;             /* changes with each notify */
    uint64_t first, next;              /* tickets, which only grow; with the lock held */
    uint32_t deaths;                   /* when dead waiters were looked for; with the lock held */
    _Atomic uint64_t tickets[TICKETS]; /* the process's identity, and SERVED; 0: over */
};

struct follower {
    struct cordi_waiter node;
    const _Atomic uint64_t *ticket;
};

static struct shared_condition *shared(cord_condition *condition)
{
    return (struct shared_condition *)condition;
}

static _Atomic uint64_t *ticket_of(struct shared_condition *condition, uint64_t number)
{
    return &condition->tickets[number % TICKETS];
}

static bool served(const _Atomic uint64_t *ticket)
{
    return (atomic_load(ticket) & SERVED) != 0;
}

/* --- with the user's lock --- */

static bool is_dead(uint64_t identity)
{
    int pidfd = cordi_identity_open(identity);
    if (pidfd >= 0)
        cordi_fd_close(pidfd);
    return pidfd == -ESRCH;
}

/* Forgets the tickets that are over, at the front, and after a death all of those who died. */
static void tidy(struct shared_condition *condition)
{
    uint32_t deaths = cordi_deaths();
    uint64_t alive = cordi_identity_self();
    for (uint64_t i = condition->first; condition->deaths != deaths && i < condition->next; i++) {
        uint64_t identity = atomic_load(ticket_of(condition, i)) & ~SERVED;
        if (identity == 0 || identity == alive)
            continue;
        if (is_dead(identity))
            atomic_store(ticket_of(condition, i), 0);
        else
            alive = identity;
    }
    condition->deaths = deaths;
    while (condition->first < condition->next && atomic_load(ticket_of(condition, condition->first)) == 0)
        condition->first++;
    if (condition->first == condition->next)
        condition->base.lock = 0;
}

int cordi_shared_condition_notify(cord_condition *base, uint32_t count)
{
    struct shared_condition *condition = shared(base);
    const struct cordi_shared_lock *lock = (const struct cordi_shared_lock *)(uintptr_t)base->lock;
    uint32_t woken = 0;
    if (lock == NULL)
        return 0;
    if (!cordi_shared_lock_mine(lock))
        return cordi_fail(-EPERM, "condition: notified without the lock that its waiters gave up");
    tidy(condition);
    for (uint64_t i = condition->first; woken < count && i < condition->next; i++) {
        uint64_t ticket = atomic_load(ticket_of(condition, i));
        if (ticket == 0 || ticket & SERVED)
            continue;
        atomic_store(ticket_of(condition, i), ticket | SERVED);
        woken++;
    }
    if (woken > 0) {
        atomic_fetch_add(&condition->bell, 1);
        cordi_shared_wake(&condition->bell);
    }
    return (int)woken;
}

/* --- without it --- */

static void lock_own(struct cordi_shared_own *own)
{
    cordi_spin_lock(&own->bits, 1);
    if (own->followers.next == NULL)
        cordi_list_init(&own->followers);
}

/* With the bit: claims the followers that are served, and when nobody leads any more one to look after that. */
static void claim_followers(struct cordi_shared_own *own, struct cordi_list *claimed)
{
    bool wanted = !own->led;
    for (struct cordi_list *at = own->followers.next, *next; at != &own->followers; at = next) {
        struct follower *follower = CORDI_ITEM(at, struct follower, node.link);
        next = at->next;
        if (!served(follower->ticket) && !wanted)
            continue;
        cordi_list_remove(at);
        if (!cordi_waiter_claim(&follower->node)) /* it is on its way out, and passes the lead on itself */
            continue;
        cordi_list_append(claimed, at);
        wanted = false;
    }
}

static void look_at_followers(struct cordi_shared_own *own, bool lead)
{
    struct cordi_list claimed;
    cordi_list_init(&claimed);
    lock_own(own);
    own->led = own->led && lead;
    claim_followers(own, &claimed);
    cordi_spin_unlock(&own->bits, 1);
    cordi_wake_list(&claimed);
}

enum role { LEADS, FOLLOWS, IS_SERVED };

static enum role choose_role(struct cordi_shared_own *own, struct follower *follower)
{
    enum role role = IS_SERVED;
    lock_own(own);
    if (!served(follower->ticket)) {
        role = own->led ? FOLLOWS : LEADS;
        own->led = true;
        if (role == FOLLOWS)
            cordi_list_append(&own->followers, &follower->node.link);
    }
    cordi_spin_unlock(&own->bits, 1);
    return role;
}

static int lead(struct shared_condition *condition, const _Atomic uint64_t *ticket, cord_deadline deadline)
{
    struct cordi_shared_own *own = cordi_shared_own(condition);
    int rc = 0;
    while (rc == 0) {
        uint32_t deaths = cordi_deaths(), heard = (uint32_t)atomic_load(&condition->bell);
        look_at_followers(own, true);
        if (served(ticket))
            break;
        rc = cordi_shared_sleep(&condition->bell, heard, deaths, "a condition", CORDI_CANCELLABLE, deadline);
    }
    look_at_followers(own, false);
    return rc;
}

static int follow(struct cordi_shared_own *own, struct follower *follower, cord_deadline deadline)
{
    int rc = cordi_park(deadline);
    if (rc < 0) {
        lock_own(own);
        cordi_list_remove(&follower->node.link);
        cordi_spin_unlock(&own->bits, 1);
    }
    return rc;
}

static int wait_until_served(struct shared_condition *condition, const _Atomic uint64_t *ticket, cord_deadline deadline)
{
    struct cordi_shared_own *own = cordi_shared_own(condition);
    int rc = 0;
    while (rc == 0 && !served(ticket)) {
        struct follower follower = { .ticket = ticket };
        cordi_wait_begin(&follower.node, CORDI_CANCELLABLE, "a condition");
        enum role role = choose_role(own, &follower);
        if (role == FOLLOWS) {
            rc = follow(own, &follower, deadline);
            continue;
        }
        cordi_wait_abandon();
        if (role == LEADS)
            rc = lead(condition, ticket, deadline);
    }
    look_at_followers(own, true); /* it may have been claimed to lead, and leaves */
    return rc;
}

static int retake(cord_lock *lock)
{
    int rc;
    while ((rc = cord_lock_acquire(lock, CORD_FOREVER)) < 0) /* no descriptor to watch its holder with: again */
        cordi_proc_yield();
    return rc;
}

int cordi_shared_condition_wait(cord_condition *base, cord_lock *lock, cord_deadline deadline)
{
    struct shared_condition *condition = shared(base);
    if (!cordi_is_shared(&lock->word))
        return cordi_fail(-EINVAL, "condition: it is shared, and the lock is not");
    if (!cordi_shared_lock_mine((struct cordi_shared_lock *)lock))
        return cordi_fail(-EPERM, "condition: waited for without the lock");
    tidy(condition);
    if (base->lock != 0 && base->lock != (uintptr_t)lock)
        return cordi_fail(-EINVAL, "condition: others wait there with another lock");
    if (cordi_self_cancelled())
        return cordi_fail(-ECANCELED, "cancelled before waiting for a condition");
    if (cordi_nowait(deadline))
        return cordi_fail(-EAGAIN, "condition: the call may not wait");
    if (condition->next - condition->first == TICKETS)
        return cordi_fail(-ENOSPC, "condition: %d tasks wait for it already", TICKETS);
    _Atomic uint64_t *ticket = ticket_of(condition, condition->next);
    base->lock = (uintptr_t)lock;
    atomic_store(ticket, cordi_identity_self());
    condition->next++;
    (void)cord_lock_release(lock);
    int rc = wait_until_served(condition, ticket, deadline), held = retake(lock);
    if (rc < 0 && !served(ticket))
        held = cordi_fail(rc, "%s waiting for a condition", rc == -ETIMEDOUT ? "timed out" : "cancelled while");
    atomic_store(ticket, 0);
    tidy(condition);
    return held;
}

int cordi_shared_condition_new(cord_condition **ret)
{
    void *made;
    int rc = cordi_shared_object_new(&made, sizeof(struct shared_condition), "condition");
    if (rc < 0)
        return rc;
    struct shared_condition *condition = made;
    condition->base.word = CORDI_RING_SHARED;
    *ret = &condition->base;
    return 0;
}

void cordi_shared_condition_free(cord_condition *condition)
{
    cordi_shm_free(condition);
}
