/* tests/interleave/runner/family.h - for models of the objects of several processes: what stands in for what those
 * share (rt/words.h, sys/shm.h, sys/identity.h, their lock and the gates).
 *
 * Each task of a model is a process of its own, unless the model says otherwise. To sleep compares the word and lists
 * the task in one step; a wake reaches who is listed, and is lost on all others. A process that is killed makes no step
 * any more; some time later its death is counted, and wakes all sleepers. A lock is one step to take and one to give
 * back; whoever takes one that a killed process holds is told so, at any time after. Time is up whenever the search
 * likes.
 *
 * The functions of family.c are weak, as those of tasks.c.
 */
#ifndef TESTS_INTERLEAVE_FAMILY_H
#define TESTS_INTERLEAVE_FAMILY_H

#include "tasks.h"

#include "sync/shared.h"

struct model_family {
    _Alignas(64) struct cordi_shared_own own[MODEL_TASKS]; /* of each process */
    uint64_t process[MODEL_TASKS];                         /* of each task */
    uint64_t killed[MODEL_TASKS];                          /* processes */
    const _Atomic uint32_t *asleep[MODEL_TASKS];           /* at which word each task sleeps */
    _Atomic uint32_t deaths;
    _Atomic uint32_t mute; /* 1, which only a fault says: nobody is woken */
};

void model_family_begin(struct model_family *family, struct cord_task *tasks);

/* The task sleeps at a word; for waits of a model. */
bool model_is_asleep(int task);

/* A task that kills the process *arg; its death is seen and counted. */
void model_killer(void *arg);

/* The two halves of that, and the first is no step: the process makes no step any more; the death is counted. */
void model_end_process(uint64_t process);
void model_count_death(void);

/* A task that cancels the task *arg; for models without rt/park.c. */
void model_canceller(void *arg);

#endif
