/* sys/proc.h - processes, threads and signals. */
#ifndef CORDI_SYS_PROC_H
#define CORDI_SYS_PROC_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int cordi_proc_fork(void);                 /* flushes stdio first. 0 in the child, the pid, -errno */
int cordi_proc_pidfd(int pid);             /* -ESRCH */
int cordi_proc_kill(int pidfd, int signo); /* never another process: a pidfd is not reused */
int cordi_proc_pid(void);
int cordi_proc_thread_id(void);                 /* of the calling thread, in the kernel */
int cordi_proc_cpus(void);                      /* that this process may use */
_Noreturn void cordi_proc_exit(int status);     /* flushes stdio; runs no atexit handlers */
_Noreturn void cordi_proc_exit_now(int status); /* async-signal-safe */

/* A child that cannot be watched: kills it and waits for it. */
void cordi_proc_discard(int pid);

/* Reaps a child that has ended: *status is its exit status, or its signal with *signaled. -ECHILD: somebody else
 * reaped it; -EAGAIN: it still runs. */
int cordi_proc_reap(int pidfd, int *status, bool *signaled);

/* A detached thread. stack_size 0: the system's default. -EAGAIN */
int cordi_proc_thread(void *(*run)(void *), void *arg, size_t stack_size);
void cordi_proc_thread_name(const char *name); /* the calling thread's, in the kernel: 15 bytes of it */
void cordi_proc_yield(void);
void cordi_proc_thread_end_call(void (*fn)(void *), void *arg); /* when the calling thread ends; one fn per program */
int cordi_proc_at_fork(void (*before)(void), void (*parent)(void), void (*child)(void));

int cordi_proc_signal(int signo, void (*handler)(int), struct sigaction *old); /* old may be NULL */
void cordi_proc_signal_restore(int signo, const struct sigaction *old);
void cordi_proc_signals_block(void); /* all of them, for the calling thread */

/* Where the action of the signal is `from` makes it `to`, which lets system calls go on; else -EBUSY. */
int cordi_proc_signal_replace(int signo, void (*from)(int), void (*to)(int));

/* What /proc/self/status says: threads of this process, and the signals that have a handler (bit 0: signal 1).
 * -ENOENT: it cannot be read. */
int cordi_proc_status(unsigned *threads, uint64_t *caught);

#endif
