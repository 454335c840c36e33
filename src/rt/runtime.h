/* rt/runtime.h - the one piece of global state: what belongs to the process and not to a loop or a task. */
#ifndef CORDI_RT_RUNTIME_H
#define CORDI_RT_RUNTIME_H

#include <stdatomic.h>
#include <stdint.h>

#include <cordage/run.h>

#include "base/list.h"

struct cord_task;
struct cordi_loop;
struct cordi_takes;

struct cordi_runtime {
    _Atomic uint64_t lock;                   /* spin bit over what follows */
    struct cordi_list tasks;                 /* threads (of others too, that have called us) and processes that run */
    struct cord_task *own;                   /* in a child process its task, which is in its parent's list; else NULL */
    struct cordi_list loops;                 /* loops that turn */
    _Atomic(struct cordi_loop *) background; /* the loop for coroutines started from plain threads */
    _Atomic uint64_t background_lock;        /* spin bit: its making */
    _Atomic uint64_t roots;                  /* numbers given to cord_run()s */
    _Atomic uint32_t loop_ids;               /* numbers given to loops */
    _Atomic uint64_t numbers[5]; /* for the names of tasks without one, by kind; the last: foreign threads */
    _Atomic uint32_t unguarded;  /* 1: the log has said that a stack has no guard */
    _Atomic uint32_t ready;      /* 1: cordi_runtime_start() has run */
    uint32_t cpus;               /* that the process could use at its start */
    _Atomic uint32_t debug;      /* CORDI_DEBUG_...: what CORD_DEBUG asks for; set once, before any task */
    _Atomic int signal;          /* that cord_run() caught */
    _Atomic(struct cord_task *) signal_task; /* has a thread of its own: what the signal cancels */
    _Atomic int signal_fd;                   /* or what wakes the loop that looks at `signal`; -1: none */
    struct cordi_takes *takes;               /* debug.c's, with CORD_DEBUG=dump */
    cord_log_fn *log;
};
extern struct cordi_runtime cordi_runtime;

/* In a forked child: what the parent's cord_run() did with signals now goes to the child's task. */
void cordi_run_signals_after_fork(struct cord_task *task);

/* Before the first task, loop or adopted thread: what must survive a fork is registered, and CORD_DEBUG is read. */
void cordi_runtime_begin(void);
static inline void cordi_runtime_start(void)
{
    if (atomic_load_explicit(&cordi_runtime.ready, memory_order_relaxed) == 0)
        cordi_runtime_begin();
}

#endif
