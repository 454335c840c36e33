/* rt/team.c - several loops of one run; see team.h. */
#include "rt/team.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "rt/loop.h"
#include "rt/park.h"
#include "rt/task.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/proc.h"

static const int64_t PATIENCE = CORD_MILLISECOND; /* of a loop that has its share, with one that has not */

/* A further loop and its thread. */
struct mate {
    struct cordi_loop loop;
    struct cordi_team *team;
    cord_task *thread;
    _Atomic int state; /* 0: it opens, 1: it turns, < 0: it could not be opened */
    _Atomic bool asked;
};

struct cordi_team {
    _Atomic uint64_t bits;       /* bit 0: spin, over what follows */
    struct cordi_list unstarted; /* coroutines, first come first served; timer.key is when each came */
    uint64_t puts;               /* ever */
    _Atomic uint32_t waiting;    /* in unstarted; written under the bit */

    _Atomic uint32_t taken; /* by its loops, and not ended */
    _Atomic bool stop;
    void (*visit)(struct cordi_loop *loop, void *arg);
    void *visit_arg;
    unsigned count; /* of loops */
    struct cordi_loop *first;
    struct mate mates[]; /* count - 1 */
};

struct cordi_loop *cordi_team_loop(struct cordi_team *team, unsigned i)
{
    return i == 0 ? team->first : i < team->count ? &team->mates[i - 1].loop : NULL;
}

/* --- the further loops --- */

static bool stay(void *arg)
{
    struct mate *mate = arg;
    if (atomic_load(&mate->asked) && atomic_exchange(&mate->asked, false))
        mate->team->visit(&mate->loop, mate->team->visit_arg);
    return !atomic_load(&mate->team->stop);
}

static int drive(void *arg)
{
    struct mate *mate = arg;
    int rc = cordi_loop_open(&mate->loop);
    mate->loop.team = mate->team;
    mate->loop.spin = mate->loop.spin_now = mate->team->first->spin;
    atomic_store(&mate->state, rc < 0 ? rc : 1);
    if (rc < 0)
        return rc;
    cordi_loop_run(&mate->loop, stay, mate);
    cordi_loop_close(&mate->loop);
    return 0;
}

static int start_mate(struct mate *mate, unsigned number)
{
    char name[32];
    cord_task_options options = { .kind = CORD_THREAD, .name = name };
    int state = 0;
    snprintf(name, sizeof name, "cord-loop-%u", number);
    int rc = cord_task_start(&mate->thread, drive, mate, 0, &options);
    if (rc < 0)
        return rc;
    while (state == 0) { /* the new thread has a few system calls to make */
        cordi_proc_yield();
        state = atomic_load(&mate->state);
    }
    return state < 0 ? state : 0;
}

int cordi_team_open(struct cordi_team **ret, struct cordi_loop *first, unsigned count,
                    void (*visit)(struct cordi_loop *loop, void *arg), void *arg)
{
    struct cordi_team *team = calloc(1, sizeof *team + (count - 1) * sizeof *team->mates);
    if (team == NULL)
        return -ENOMEM;
    cordi_list_init(&team->unstarted);
    team->visit = visit;
    team->visit_arg = arg;
    team->first = first;
    team->count = 1;
    first->team = team;
    int rc = 0;
    while (team->count < count && rc == 0) {
        struct mate *mate = &team->mates[team->count - 1];
        mate->team = team;
        rc = start_mate(mate, team->count + 1);
        team->count += mate->thread != NULL;
    }
    if (rc < 0)
        cordi_team_close(team);
    else
        *ret = team;
    return rc;
}

/* `senders` keeps a loop that ends from vanishing before the write. */
static bool hold(struct mate *mate)
{
    if (atomic_load(&mate->state) < 0)
        return false;
    atomic_fetch_add(&mate->loop.inbox.senders, 1);
    return true;
}

static void call(struct mate *mate)
{
    cordi_fd_event_set(mate->loop.host->wake_fd);
    cordi_inbox_pushed(&mate->loop.inbox);
}

void cordi_team_visit(struct cordi_team *team)
{
    for (unsigned i = 0; i < team->count - 1; i++)
        if (hold(&team->mates[i])) {
            atomic_store(&team->mates[i].asked, true);
            call(&team->mates[i]);
        }
}

static int join_threads(void *arg)
{
    struct cordi_team *team = arg;
    for (unsigned i = 0; i < team->count - 1; i++) {
        (void)!cord_task_join(team->mates[i].thread, CORD_FOREVER, NULL);
        cord_task_free(team->mates[i].thread);
    }
    return 0;
}

void cordi_team_close(struct cordi_team *team)
{
    bool held[CORDI_TEAM_MOST];
    for (unsigned i = 0; i < team->count - 1; i++) /* all of them, before the first one sees that it may end */
        held[i] = hold(&team->mates[i]);
    atomic_store(&team->stop, true);
    for (unsigned i = 0; i < team->count - 1; i++)
        if (held[i])
            call(&team->mates[i]);
    (void)cord_shield(join_threads, team);
    team->first->team = NULL;
    free(team);
}

/* --- tasks that wait for a loop --- */

static void lock(struct cordi_team *team)
{
    cordi_spin_lock(&team->bits, 1);
}

static void unlock(struct cordi_team *team)
{
    cordi_spin_unlock(&team->bits, 1);
}

/* The one with the least among those asleep, unless it is woken already. */
static void wake_one(struct cordi_team *team)
{
    struct cordi_loop *best = NULL;
    uint32_t least = UINT32_MAX;
    for (unsigned i = 0; i < team->count; i++) {
        struct cordi_loop *loop = cordi_team_loop(team, i);
        uint32_t taken = atomic_load_explicit(&loop->taken, memory_order_relaxed);
        if (atomic_load(&loop->inbox.asleep) && taken < least) {
            best = loop;
            least = taken;
        }
    }
    if (best != NULL && cordi_inbox_rouse(&best->inbox))
        cordi_fd_event_set(best->host->wake_fd);
}

/* The count is stored and then `asleep` is looked at; a loop stores that and then looks at the count. */
void cordi_team_put(struct cordi_team *team, struct cord_task *task)
{
    task->timer.key = cordi_clock_now();
    lock(team);
    cordi_list_append(&team->unstarted, &task->link);
    team->puts++;
    atomic_fetch_add(&team->waiting, 1);
    unlock(team);
    wake_one(team);
}

static bool below_share(const struct cordi_loop *loop, uint32_t waiting)
{
    const struct cordi_team *team = loop->team;
    uint64_t all = (uint64_t)atomic_load_explicit(&team->taken, memory_order_relaxed) + waiting;
    return (uint64_t)atomic_load_explicit(&loop->taken, memory_order_relaxed) * team->count < all;
}

/* The first that waits came so long ago that whoever is idle takes it. Under the spin bit. */
static int64_t left(const struct cordi_team *team)
{
    const struct cordi_list *item = team->unstarted.next;
    int64_t span = CORDI_ITEM(item, struct cord_task, link)->timer.key + PATIENCE - cordi_clock_now();
    return span > 0 ? span : 0;
}

bool cordi_team_waits(const struct cordi_team *team)
{
    return atomic_load_explicit(&team->waiting, memory_order_relaxed) > 0;
}

bool cordi_team_take(struct cordi_loop *loop)
{
    struct cordi_team *team = loop->team;
    struct cord_task *task = NULL;
    if (!cordi_team_waits(team))
        return false;
    bool idle = cordi_list_empty(&loop->ready);
    lock(team);
    uint32_t waiting = atomic_load_explicit(&team->waiting, memory_order_relaxed);
    if (waiting > 0 && (below_share(loop, waiting) || (idle && left(team) == 0))) {
        task = CORDI_ITEM(cordi_list_take(&team->unstarted), struct cord_task, link);
        atomic_store_explicit(&team->waiting, waiting - 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&team->taken, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&loop->taken, 1, memory_order_relaxed);
    }
    unlock(team);
    if (task == NULL)
        return false;
    __atomic_store_n(&task->loop, loop, __ATOMIC_RELAXED); /* cord_task_thread_id() may be asked */
    task->roamed = true;
    (void)cordi_word_add(&loop->alive, 1);
    cordi_list_append(&loop->tasks, &task->peers);
    cordi_list_prepend(&loop->ready, &task->link);
    return true;
}

void cordi_team_ended(struct cordi_loop *loop)
{
    atomic_fetch_sub_explicit(&loop->taken, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&loop->team->taken, 1, memory_order_relaxed);
}

int64_t cordi_team_patience(const struct cordi_loop *loop)
{
    struct cordi_team *team = loop->team;
    uint32_t waiting = atomic_load(&team->waiting);
    if (waiting == 0 || below_share(loop, waiting))
        return waiting == 0 ? -1 : 0;
    lock(team);
    int64_t span = cordi_list_empty(&team->unstarted) ? -1 : left(team);
    unlock(team);
    return span;
}

void cordi_team_each(struct cordi_team *team, void (*visit)(struct cord_task *, void *), void *arg)
{
    lock(team);
    for (struct cordi_list *at = team->unstarted.next; at != &team->unstarted; at = at->next)
        visit(CORDI_ITEM(at, struct cord_task, link), arg);
    unlock(team);
}

uint64_t cordi_team_begun(struct cordi_team *team)
{
    lock(team);
    uint64_t begun = team->puts - atomic_load_explicit(&team->waiting, memory_order_relaxed);
    unlock(team);
    return begun;
}

uint64_t cordi_team_puts(struct cordi_team *team, bool *none)
{
    lock(team);
    uint64_t puts = team->puts;
    *none = cordi_list_empty(&team->unstarted);
    unlock(team);
    return puts;
}
