/* rt/watch.h - one thread that waits for processes to end, while there are any to wait for. */
#ifndef CORDI_RT_WATCH_H
#define CORDI_RT_WATCH_H

#include <cordage/time.h>

struct cord_task;

/* Calls ended(arg) on the watch thread once the process of own_pidfd has ended; the pidfd stays the caller's and is
 * open until then. Fails: -ENOMEM, -EMFILE, -EAGAIN (no thread). */
int cordi_watch_pidfd(int pidfd, void (*ended)(void *arg), void *arg);

/* SIGKILL for a child that is being watched, if it still runs at `deadline`. */
void cordi_watch_kill(struct cord_task *task, cord_deadline deadline);

void cordi_watch_before_fork(void);
void cordi_watch_after_fork(int child);

#endif
