/* cordage/local.h - values local to a task: each task has its own, of whatever kind it is.
 *
 *     static cord_task_local counter = { sizeof(int), NULL };
 *     int *mine = cord_task_local_get(&counter);
 *
 * C's _Thread_local is local to the thread: all coroutines of a loop have it in common.
 * From Python: threading.local, contextvars, gevent.local.
 */
#ifndef CORDAGE_LOCAL_H
#define CORDAGE_LOCAL_H

#include <stddef.h>

#include <cordage/task.h>

CORD_BEGIN

/* Names a value: static memory, which is not changed while any task has the value. */
typedef struct {
    size_t size;  /* of the value, in bytes */
    cord_fn *end; /* called with the value when its task ends, by that task; its answer is ignored. NULL: none */
} cord_task_local;

/* The calling task's value, zeroed at its first use; the same address each time, until the task ends. NULL: out of
 * memory. A child process and a serial task begin with none. exit(3) ends none. Never waits. */
CORD_API void *cord_task_local_get(const cord_task_local *local);

CORD_END

#endif
