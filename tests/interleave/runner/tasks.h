/* tests/interleave/runner/tasks.h - for models that drive rt/park.c and what stands on it: tasks that wait.
 *
 * Each task of the model has a control block, in the model's state, and a thread of its own. How it sleeps is not the
 * product's here: a wake is a permit that is there or not, and time is up whenever the search likes. (thread.c of the
 * product has a model of its own.) The functions of tasks.c are weak: a model that includes the real ones has those.
 */
#ifndef TESTS_INTERLEAVE_TASKS_H
#define TESTS_INTERLEAVE_TASKS_H

#include "interleave.h"

#include "rt/task.h"

#undef cordi_debug
#define cordi_debug(what) false /* it reads a word that never changes: that need not be a step */

#define SOME_TIME ((cord_deadline){ 1 })

extern struct cord_task *model_tasks; /* the blocks, as setup() says */
int model_me(void);                   /* which of the model's tasks makes this step; -1: setup and check */
void model_tasks_begin(struct cord_task *tasks);
/* For check(): every task has taken the wakes that were owed to it, and no other came. */
void model_tasks_check(void);

#endif
