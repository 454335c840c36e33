/* rt/offload.h - helper threads for calls that block: the one pool of the library, in classes with a bound each.
 *
 * The job is counted: the caller and the helper each hold it, and whoever lets go last frees it, so that a caller may
 * give up (deadline, cancel) while fn goes on with its own copy.
 */
#ifndef CORDI_RT_OFFLOAD_H
#define CORDI_RT_OFFLOAD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cordage/task.h>

/* Calls of users, look-ups of names (so that a dead DNS cannot starve other jobs). */
enum cordi_offload_class { CORDI_OFFLOAD_CALL, CORDI_OFFLOAD_RESOLVE, CORDI_OFFLOAD_CLASSES };

/* As cord_call_blocking(). In a thread of its own (kind thread, process) with CORD_FOREVER it just calls fn. drop (or
 * NULL) is called with the copy when it was given up and fn has answered: frees what the copy points to. */
int cordi_offload(enum cordi_offload_class class, cord_fn *fn, void *arg, size_t arg_size, void (*drop)(void *copy),
                  cord_deadline deadline);

/* True where a call that blocks the thread would stop others too: in a coroutine. */
bool cordi_must_offload(void);

/* Calls died(arg) once, on the watch thread, when the process of that pidfd has ended (at once if it has already). The
 * descriptor is closed, on failure too. Answers a number for unwatch, after which died neither runs nor will.
 * Fails: -ENOMEM, -EMFILE. */
int cordi_owner_watch(int own_pidfd, void (*died)(void *arg), void *arg);
void cordi_owner_unwatch(int watch);

/* How many helpers there are, all of them without work; -1: some call runs or waits for a helper. */
int cordi_offload_idle(void);

void cordi_offload_after_fork(void); /* in the child: the helpers were not copied */

#endif
