/* rt/watch.c - the watch thread: an epoll of pidfds and a list of what to do when each ends.
 *
 * It comes with the first process to watch and ends with the last one, so that a program without processes has no such
 * thread. Children are reaped here at once, whether anybody joins them or not: no zombie, no SIGCHLD handler, no
 * waitpid(-1) that would take a host's children. Signals were rejected for that, and a loop's backend because a process
 * may be started where no loop is.
 */
#include "rt/watch.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/list.h"
#include "rt/offload.h"
#include "rt/runtime.h"
#include "rt/task.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/proc.h"

enum { EVENTS = 64 };

struct entry {
    struct cordi_list link;
    int number; /* what epoll and unwatch know it by: an entry may go while its event is on the way */
    bool own;   /* the pidfd is ours to close */
    int pidfd;
    int64_t kill_at; /* 0: never */
    void (*ended)(void *arg);
    void *arg;
};

static struct {
    _Atomic uint64_t lock; /* spin bit over all of it */
    struct cordi_list entries;
    bool running;
    int epoll, wake_fd;
    int numbers;           /* given out */
    struct entry *calling; /* whose ended() runs now, NULL: none */
} watch;

static void lock(void)
{
    cordi_spin_lock(&watch.lock, 1);
    if (watch.entries.next == NULL)
        cordi_list_init(&watch.entries);
}

static void unlock(void)
{
    cordi_spin_unlock(&watch.lock, 1);
}

/* Kills what is overdue; nanoseconds until the next one, < 0: none. */
static int64_t kill_overdue(void)
{
    int64_t next = -1, now = cordi_clock_now();
    lock();
    for (struct cordi_list *at = watch.entries.next; at != &watch.entries; at = at->next) {
        struct entry *entry = CORDI_ITEM(at, struct entry, link);
        if (entry->kill_at == 0)
            continue;
        if (entry->kill_at <= now) {
            (void)cordi_proc_kill(entry->pidfd, SIGKILL);
            entry->kill_at = 0;
        } else if (next < 0 || entry->kill_at - now < next)
            next = entry->kill_at - now;
    }
    unlock();
    return next;
}

/* Takes an entry out, with the lock held; NULL when it has gone. */
static struct entry *take(int number)
{
    for (struct cordi_list *at = watch.entries.next; at != &watch.entries; at = at->next) {
        struct entry *entry = CORDI_ITEM(at, struct entry, link);
        if (entry->number == number) {
            cordi_list_remove(at);
            (void)cordi_fd_epoll_remove(watch.epoll, entry->pidfd);
            return entry;
        }
    }
    return NULL;
}

static void drop(struct entry *entry)
{
    if (entry->own)
        cordi_fd_close(entry->pidfd);
    free(entry);
}

static void process_ended(int number)
{
    lock();
    struct entry *entry = take(number);
    watch.calling = entry;
    unlock();
    if (entry == NULL)
        return;
    entry->ended(entry->arg);
    lock();
    watch.calling = NULL;
    unlock();
    drop(entry);
}

/* The last one has ended: so does the thread. */
static bool finish(void)
{
    lock();
    bool idle = cordi_list_empty(&watch.entries);
    if (idle) {
        watch.running = false;
        cordi_fd_close(watch.epoll);
        cordi_fd_close(watch.wake_fd);
    }
    unlock();
    return idle;
}

static void *run(void *arg)
{
    struct epoll_event events[EVENTS];
    (void)arg;
    cordi_proc_thread_name("cord-watch");
    do {
        int count = cordi_fd_epoll_wait(watch.epoll, events, EVENTS, kill_overdue());
        for (int i = 0; i < count; i++)
            if (events[i].data.u64 == 0)
                cordi_fd_event_clear(watch.wake_fd);
            else
                process_ended((int)events[i].data.u64);
    } while (!finish());
    return NULL;
}

static int start(void)
{
    int rc;
    if (watch.running)
        return 0;
    watch.epoll = cordi_fd_epoll();
    watch.wake_fd = cordi_fd_event();
    rc = watch.epoll < 0 ? watch.epoll : watch.wake_fd < 0 ? watch.wake_fd : 0;
    if (rc == 0)
        rc = cordi_fd_epoll_add(watch.epoll, watch.wake_fd, EPOLLIN, 0);
    if (rc == 0)
        rc = cordi_proc_thread(run, NULL, 0);
    watch.running = rc == 0;
    if (rc < 0) {
        cordi_fd_close(watch.epoll);
        cordi_fd_close(watch.wake_fd);
    }
    return rc;
}

static int add(int pidfd, bool own, void (*ended)(void *arg), void *arg)
{
    struct entry *entry = malloc(sizeof *entry);
    int rc;
    if (entry == NULL)
        return -ENOMEM;
    *entry = (struct entry){ .pidfd = pidfd, .own = own, .ended = ended, .arg = arg };
    lock();
    watch.numbers = watch.numbers == INT_MAX ? 1 : watch.numbers + 1;
    int number = entry->number = watch.numbers;
    cordi_list_append(&watch.entries, &entry->link); /* before the thread can find nothing to do */
    rc = start();
    if (rc == 0)
        rc = cordi_fd_epoll_add(watch.epoll, pidfd, EPOLLIN | EPOLLONESHOT, (uint64_t)number);
    if (rc < 0) {
        cordi_list_remove(&entry->link);
        if (watch.running)
            cordi_fd_event_set(watch.wake_fd); /* it may have nothing to do */
    }
    unlock();
    if (rc < 0)
        free(entry);
    return rc < 0 ? rc : number;
}

int cordi_watch_pidfd(int pidfd, void (*ended)(void *arg), void *arg)
{
    int rc = add(pidfd, false, ended, arg);
    return rc < 0 ? rc : 0;
}

int cordi_owner_watch(int own_pidfd, void (*died)(void *arg), void *arg)
{
    cordi_runtime_start();
    int rc = add(own_pidfd, true, died, arg);
    if (rc < 0)
        cordi_fd_close(own_pidfd);
    return rc;
}

void cordi_owner_unwatch(int number)
{
    lock();
    struct entry *entry = take(number);
    if (watch.running)
        cordi_fd_event_set(watch.wake_fd); /* it may have nothing to do any more */
    while (watch.calling != NULL && watch.calling->number == number) {
        unlock();
        cordi_proc_yield();
        lock();
    }
    unlock();
    if (entry != NULL)
        drop(entry);
}

void cordi_watch_kill(struct cord_task *task, cord_deadline deadline)
{
    lock();
    for (struct cordi_list *at = watch.entries.next; at != &watch.entries; at = at->next) {
        struct entry *entry = CORDI_ITEM(at, struct entry, link);
        if (entry->arg == task && (entry->kill_at == 0 || entry->kill_at > deadline.at)) {
            entry->kill_at = deadline.at;
            cordi_fd_event_set(watch.wake_fd);
        }
    }
    unlock();
}

void cordi_watch_before_fork(void)
{
    lock();
}

void cordi_watch_after_fork(int child)
{
    if (child && watch.running) {
        cordi_fd_close(watch.epoll);
        cordi_fd_close(watch.wake_fd);
        watch.running = false;
    }
    if (child) {
        while (!cordi_list_empty(&watch.entries))
            drop(CORDI_ITEM(cordi_list_take(&watch.entries), struct entry, link));
        if (watch.calling != NULL)
            drop(watch.calling);
        watch.calling = NULL;
    }
    unlock();
}
