/* rt/group.c - groups: a list of running tasks and the first failure, under one spin bit.
 *
 * A task that ends takes itself out, and its last touch of the group is letting the spin bit go, so that a joiner
 * which then finds nothing running may free the group. The timeout needs no timer: it is part of join's deadline.
 */
#include <cordage/group.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt/group.h"
#include "rt/task.h"

struct cord_group {
    _Atomic uint64_t bits;     /* bit 0: spin, over what follows */
    struct cordi_list members; /* that run */
    struct cordi_list waiters; /* for an end: joiners, and starters at max_running */
    uint32_t running;          /* members, and those about to be */
    bool cancelled;
    int failure;           /* of the first that failed */
    char sentence[128];    /* and why */
    cord_deadline time_up; /* of .timeout */
    cord_group_options options;
};

int cord_group_new(cord_group **ret, const cord_group_options *options)
{
    cord_group *group = calloc(1, sizeof *group);
    if (group == NULL)
        return cordi_fail_code(-ENOMEM, "a group");
    if (options != NULL)
        group->options = *options;
    cordi_list_init(&group->members);
    cordi_list_init(&group->waiters);
    if (group->options.timeout > 0)
        group->time_up = cord_in(group->options.timeout);
    *ret = group;
    return 0;
}

static void lock(cord_group *group)
{
    cordi_spin_lock(&group->bits, 1);
}

static void unlock(cord_group *group)
{
    cordi_spin_unlock(&group->bits, 1);
}

static void cancel_members(cord_group *group)
{
    group->cancelled = true;
    for (struct cordi_list *at = group->members.next; at != &group->members; at = at->next)
        cord_task_cancel(CORDI_ITEM(at, struct cord_task, sibling));
}

void cord_group_cancel(cord_group *group)
{
    lock(group);
    cancel_members(group);
    unlock(group);
}

/* --- members --- */

void cordi_group_add(struct cord_group *group, struct cord_task *task)
{
    lock(group);
    cordi_list_append(&group->members, &task->sibling);
    if (group->cancelled)
        atomic_store(&task->cancelled, 1);
    unlock(group);
}

void cordi_group_remove(struct cord_group *group, struct cord_task *task)
{
    lock(group);
    cordi_list_remove(&task->sibling);
    unlock(group);
}

static void note_failure(struct cord_group *group, const struct cord_task *task)
{
    if (task->how != CORD_FAILED && task->how != CORD_SIGNALED)
        return;
    if (group->failure == 0) {
        group->failure = task->how == CORD_FAILED && task->value < 0 ? task->value : -EOWNERDEAD;
        snprintf(group->sentence, sizeof group->sentence, "%.*s", (int)sizeof group->sentence - 1, task->detail);
    }
    if (!group->options.keep_going)
        cancel_members(group);
}

/* One more may run, or all have ended: every waiter looks again. */
static void member_gone(struct cord_group *group)
{
    struct cordi_list claimed, *item;
    cordi_list_init(&claimed);
    group->running--;
    while ((item = cordi_list_take(&group->waiters)) != NULL)
        if (cordi_waiter_claim(CORDI_ITEM(item, struct cordi_waiter, link)))
            cordi_list_append(&claimed, item);
    unlock(group); /* the last touch */
    cordi_wake_list(&claimed);
}

void cordi_group_ended(struct cord_group *group, struct cord_task *task)
{
    lock(group);
    cordi_list_remove(&task->sibling);
    note_failure(group, task);
    member_gone(group);
}

/* --- waiting --- */

static bool may_start(const cord_group *group)
{
    return group->cancelled || group->options.max_running == 0 || group->running < group->options.max_running;
}

static bool all_ended(const cord_group *group)
{
    return group->running == 0;
}

/* Waits until `enough`; answers with the spin bit held when it does (0), without when it fails. */
static int wait_until(cord_group *group, bool (*enough)(const cord_group *), int cancellable, cord_deadline deadline)
{
    for (;;) {
        struct cordi_waiter node;
        int rc;
        lock(group);
        if (enough(group))
            return 0;
        unlock(group);
        if (deadline.at == CORD_NOWAIT.at)
            return cordi_fail(-EAGAIN, "tasks of the group still run");
        cordi_wait_begin(&node, cancellable, "a group");
        lock(group);
        if (enough(group)) {
            unlock(group);
            cordi_wait_abandon();
            continue;
        }
        cordi_list_append(&group->waiters, &node.link);
        unlock(group);
        rc = cordi_park(deadline);
        if (rc < 0) {
            lock(group);
            cordi_list_remove(&node.link);
            unlock(group);
            return rc;
        }
    }
}

int cord_group_start(cord_group *group, cord_fn *fn, const void *arg, size_t arg_size)
{
    int rc = cordi_self_cancelled() ? cordi_fail(-ECANCELED, "cancelled")
                                    : wait_until(group, may_start, CORDI_CANCELLABLE, group->time_up);
    if (rc < 0)
        return rc;
    bool cancelled = group->cancelled;
    group->running += !cancelled;
    unlock(group);
    if (cancelled)
        return cordi_fail(-ECANCELED, "the group was cancelled%s%s", group->failure ? ": " : "", group->sentence);
    rc = cordi_task_launch(NULL, group, fn, arg, arg_size, &group->options.task, __builtin_return_address(0));
    if (rc < 0) {
        lock(group);
        member_gone(group);
    }
    return rc;
}

int cord_group_join(cord_group *group, cord_deadline deadline)
{
    bool late = false;
    int rc;
    if (group == NULL)
        return 0;
    for (;;) {
        rc = wait_until(group, all_ended, CORDI_CANCELLABLE, late ? deadline : cordi_earlier(deadline, group->time_up));
        if (rc != -ETIMEDOUT || late || group->time_up.at == 0 || cord_left(group->time_up) > 0)
            break;
        late = true;
        cord_group_cancel(group);
    }
    if (rc < 0)
        return rc;
    rc = late ? -ETIMEDOUT : group->failure;
    unlock(group);
    if (rc < 0)
        cordi_fail(rc, "%s", late ? "the group's time was up" : group->sentence);
    free(group);
    return rc;
}

static void terminate_processes(cord_group *group)
{
    cord_span grace = group->options.grace > 0 ? group->options.grace : CORD_SECOND;
    lock(group);
    cancel_members(group);
    for (struct cordi_list *at = group->members.next; at != &group->members; at = at->next) {
        struct cord_task *task = CORDI_ITEM(at, struct cord_task, sibling);
        if (task->kind == CORD_PROCESS)
            cord_task_terminate(task, grace);
    }
    unlock(group);
}

void cord_group_free(cord_group *group)
{
    if (group == NULL)
        return;
    terminate_processes(group);
    (void)wait_until(group, all_ended, CORDI_UNCANCELLABLE, CORD_FOREVER);
    unlock(group);
    free(group);
}
