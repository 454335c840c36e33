/* cordage/group.h - a group owns tasks: it is left when all of them have ended.
 *
 * The first that fails cancels the others, and its failure is the group's (Python: asyncio.TaskGroup). Freeing a
 * group cancels what still runs and waits, so that no task outlives the memory it was given.
 */
#ifndef CORDAGE_GROUP_H
#define CORDAGE_GROUP_H

#include <cordage/task.h>

CORD_BEGIN

typedef struct cord_group cord_group;

typedef struct {
    uint32_t size;          /* 0: the layout of this version */
    cord_task_options task; /* for each task started in it */
    cord_span timeout;      /* from the group's birth: then its tasks are cancelled, join answers -ETIMEDOUT; 0: none */
    uint32_t max_running;   /* start waits while so many run; 0: no bound */
    bool keep_going;        /* a failure does not cancel the others */
    cord_span grace;        /* for processes at free: SIGTERM, then SIGKILL after it; 0: one second */
} cord_group_options;

/* Fails: -ENOMEM. */
CORD_API CORD_MUST_CHECK int cord_group_new(cord_group **ret, const cord_group_options *options);

/* As cord_task_start(); waits while max_running tasks run.
 * Fails: as that, -ECANCELED (the caller or the group), -ETIMEDOUT (the group's time is up). */
CORD_API CORD_MUST_CHECK int cord_group_start(cord_group *group, cord_fn *fn, const void *arg, size_t arg_size);

/* Waits for all. 0 or the code of the first failure (a process that was killed: -EOWNERDEAD), with its sentence.
 * Once all have ended it frees the group, whatever it answers: a cord_group_free() after it would be the second.
 * Fails and leaves the group: -ETIMEDOUT (this deadline), -EAGAIN (CORD_NOWAIT), -ECANCELED (the caller).
 * Fails and frees it: -ETIMEDOUT (its .timeout). NULL: 0. */
CORD_API CORD_MUST_CHECK int cord_group_join(cord_group *group, cord_deadline deadline);

/* Cancels all of its tasks. Any thread; never waits. */
CORD_API void cord_group_cancel(cord_group *group);

/* Cancels the rest and waits for it, uncancellably; NULL is allowed. Not after a join that freed it. */
CORD_API void cord_group_free(cord_group *group);

CORD_END

#endif
