/* rt/dump.h - the report of all tasks: on SIGQUIT with CORD_DEBUG=dump, and when all tasks are asleep.
 *
 * A signal handler may do next to nothing, and the loop may be the one that stands still: so the handler writes an
 * eventfd, and a thread that exists only with `dump` makes the report. Threads and processes it reads off their
 * blocks. A loop is asked for records of its coroutines and answers between two turns; of a loop that does not answer
 * within 200 ms it tells which coroutine has been running there for how long.
 * To look at the coroutines from outside was rejected: it needs a lock in each switch, start and end.
 */
#ifndef CORDI_RT_DUMP_H
#define CORDI_RT_DUMP_H

#include <stdbool.h>

struct cord_task;
struct cordi_loop;

/* Sets the handler, where SIGQUIT has its default action, and starts the thread. own: in a child process, which starts
 * them again, its task; else NULL. */
void cordi_dump_start(struct cord_task *own);
void cordi_dump_after_fork(void); /* in the child, which has no such thread */
bool cordi_dump_handler(void);    /* both are there */

/* The loop answers, if it is asked; its debug.asked is not 0. */
void cordi_dump_answer(struct cordi_loop *loop);

/* Logs the loop's coroutines, from its own thread. */
void cordi_dump_loop(struct cordi_loop *loop);

#endif
