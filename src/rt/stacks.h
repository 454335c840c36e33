/* rt/stacks.h - how much of their stacks coroutines really use: CORD_DEBUG=stacks.
 *
 * A stack begins as zeros, so what was used reaches down to the lowest word that is none. A coroutine that ends is
 * looked at, and one that starts on a used stack has it cleared first; both take some microseconds, so only when asked
 * for. What was seen is kept by the place where the tasks were started, since few of them have names of their own, and
 * logged when cord_run() ends. Threads are left out: the C library gives them stacks that were used before.
 */
#ifndef CORDI_RT_STACKS_H
#define CORDI_RT_STACKS_H

#include <stddef.h>

struct cord_task;

/* Before a coroutine runs whose first frame lies at `first`: clears the used part of [low, first). */
void cordi_stacks_clear(char *low, char *first);

/* A coroutine that ends, on its own stack. */
void cordi_stacks_note(const struct cord_task *task);

/* Logs what was noted, a line for each place, and forgets it. */
void cordi_stacks_report(void);

/* In a forked child: what was noted is the parent's. */
void cordi_stacks_after_fork(void);

#endif
