/* sys/fault.h - being told of a SIGSEGV before it kills the process, for a report that names the task.
 *
 * The handler runs on a stack of its own, since the fault may mean that there is no more of the other. It tells rt what
 * was touched, takes itself out and returns: the instruction faults again, and the process dies as it would have
 * without us, with its core. It is only installed where the signal has its default action: a program's own handler, or
 * a sanitizer's, stays. What is in force when a handler runs is async-signal-safe, which dladdr(3) is not: so the files
 * that addresses belong to are looked up in /proc/self/maps.
 */
#ifndef CORDI_SYS_FAULT_H
#define CORDI_SYS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/line.h"
#include "sys/stack.h"

/* explain(address, sp) is called in the handler: what was touched, and the stack pointer. Once in a process. */
typedef void cordi_fault_fn(const char *address, const char *sp);
void cordi_fault_install(cordi_fault_fn *explain);

/* Around the life of a thread that runs tasks: gives it the stack that the handler needs, unless it has one or the
 * handler is not installed; then, or without memory, alternate->low is NULL. */
void cordi_fault_thread_begin(struct cordi_stack *alternate);
void cordi_fault_thread_end(const struct cordi_stack *alternate);

/* In the handler: the bounds of the memory that `within` belongs to; false when it belongs to none. */
bool cordi_fault_mapping(const char **low, const char **high, const void *within);

/* In the handler: adds "FILE+0x1234" of the call that returns there, as addr2line -e FILE knows it. */
void cordi_fault_place(struct cordi_line *line, const void *return_address);

#endif
