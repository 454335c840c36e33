/* sys/proc.c - fork, pidfds, threads, signal dispositions. */
#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* What is buffered would be printed by both. A thread may wait in fgets(stdin), and fflush(NULL) would wait for it. */
static void flush_all(void)
{
    if (ftrylockfile(stdin) == 0) {
        fflush(NULL);
        funlockfile(stdin);
        return;
    }
    fflush(stdout);
    fflush(stderr);
}

int cordi_proc_fork(void)
{
    flush_all();
    int pid = fork();
    return pid < 0 ? -errno : pid;
}

int cordi_proc_pidfd(int pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : (int)fd;
}

int cordi_proc_kill(int pidfd, int signo)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

int cordi_proc_pid(void)
{
    return getpid();
}

int cordi_proc_thread_id(void)
{
    return gettid();
}

int cordi_proc_cpus(void)
{
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
}

void cordi_proc_exit(int status)
{
    fflush(NULL);
    _exit(status);
}

void cordi_proc_exit_now(int status)
{
    _exit(status);
}

int cordi_proc_reap(int pidfd, int *status, bool *signaled)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int rc;
    do
        rc = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | __WALL);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return -errno;
    if (info.si_pid == 0)
        return -EAGAIN;
    *status = info.si_status;
    *signaled = info.si_code != CLD_EXITED;
    return 0;
}

void cordi_proc_discard(int pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
}

int cordi_proc_thread(void *(*run)(void *), void *arg, size_t stack_size)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int rc = pthread_attr_init(&attributes);
    if (rc != 0)
        return -rc;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (stack_size > 0)
        rc = pthread_attr_setstacksize(&attributes, stack_size < 65536 ? 65536 : (stack_size + 4095) & ~(size_t)4095);
    if (rc == 0)
        rc = pthread_create(&thread, &attributes, run, arg);
    pthread_attr_destroy(&attributes);
    return -rc;
}

void cordi_proc_thread_name(const char *name)
{
    char cut[16] = { 0 };
    strncpy(cut, name, sizeof cut - 1);
    pthread_setname_np(pthread_self(), cut);
}

void cordi_proc_yield(void)
{
    sched_yield();
}

static pthread_key_t end_key;
static pthread_once_t end_once = PTHREAD_ONCE_INIT;
static void (*_Atomic end_call)(void *); /* every caller names the same one */

static void make_end_key(void)
{
    pthread_key_create(&end_key, end_call);
}

void cordi_proc_thread_end_call(void (*fn)(void *), void *arg)
{
    end_call = fn;
    pthread_once(&end_once, make_end_key);
    pthread_setspecific(end_key, arg);
}

int cordi_proc_at_fork(void (*before)(void), void (*parent)(void), void (*child)(void))
{
    return -pthread_atfork(before, parent, child);
}

int cordi_proc_signal(int signo, void (*handler)(int), struct sigaction *old)
{
    struct sigaction action = { .sa_handler = handler };
    sigemptyset(&action.sa_mask);
    return sigaction(signo, &action, old) < 0 ? -errno : 0;
}

void cordi_proc_signal_restore(int signo, const struct sigaction *old)
{
    sigaction(signo, old, NULL);
}

void cordi_proc_signals_block(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

int cordi_proc_signal_replace(int signo, void (*from)(int), void (*to)(int))
{
    struct sigaction action = { .sa_handler = to, .sa_flags = SA_RESTART }, old;
    sigemptyset(&action.sa_mask);
    if (sigaction(signo, NULL, &old) < 0)
        return -errno;
    if (old.sa_flags & SA_SIGINFO || old.sa_handler != from)
        return -EBUSY;
    return sigaction(signo, &action, NULL) < 0 ? -errno : 0;
}

/* The number after a field's name, in the base it is written in; false: there is no such field. */
static bool field(const char *text, const char *name, int base, uint64_t *ret)
{
    const char *at = strstr(text, name);
    if (at == NULL)
        return false;
    *ret = strtoull(at + strlen(name), NULL, base);
    return true;
}

int cordi_proc_status(unsigned *threads, uint64_t *caught)
{
    char text[4096];
    uint64_t count;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = cordi_fd_read(fd, text, sizeof text - 1);
    cordi_fd_close(fd);
    text[length > 0 ? length : 0] = '\0';
    if (!field(text, "\nThreads:", 10, &count) || !field(text, "\nSigCgt:", 16, caught))
        return -ENOENT;
    *threads = (unsigned)count;
    return 0;
}
