/* rt/dump.h - the report of all tasks: on SIGQUIT with CORD_DEBUG=dump, and when all tasks are asleep.
 *
 * A signal handler may do next to nothing, and the loop may be the one that stands still: so the handler writes an
 * eventfd, and a thread that exists only with `dump` makes the report of records (records.h). Of a loop that does not
 * answer it tells which coroutine has been running there for how long. A task that waits for a lock is shown with who
 * holds it and where it was taken.
 */
#ifndef CORDI_RT_DUMP_H
#define CORDI_RT_DUMP_H

#include <stdbool.h>

struct cordi_loop;

/* Sets the handler, where SIGQUIT has its default action, and starts the thread. A child process starts them again. */
void cordi_dump_start(void);
void cordi_dump_after_fork(void); /* in the child, which has no such thread */
bool cordi_dump_handler(void);    /* both are there */

/* Logs the loop's coroutines, from its own thread. */
void cordi_dump_loop(struct cordi_loop *loop);

#endif
