/* rt/overflow.h - a task that needs more stack than it has: said on stderr, with its name and the remedy.
 *
 * Where there is a guard, touching it is a fault, and the handler of sys/fault.h asks here whose guard that was. Only
 * the task that runs on the thread can have touched it. A coroutine's guard is known; a thread's, or a forked child's,
 * lies below the memory that holds the task's first frame. Threads that cordage did not start are left alone.
 *
 * A coroutine without a guard (there are too many mappings) is looked at when it ends: the lowest words of a stack are
 * zeros until somebody has come that far down. Nothing is written there, which would cost each stack a second page.
 */
#ifndef CORDI_RT_OVERFLOW_H
#define CORDI_RT_OVERFLOW_H

struct cord_task;

void cordi_overflow_start(void);

/* The calling thread, which runs `task` from here on: notes where its stack is. */
void cordi_overflow_thread(struct cord_task *task);

/* An ending coroutine whose stack has no guard; does not return when it has overflowed. */
void cordi_overflow_check(const struct cord_task *task);

#endif
