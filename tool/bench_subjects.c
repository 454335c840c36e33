/* tool/bench_subjects.c - what `cordage bench` measures: ours, and what one would use instead.
 *
 * The rows of the others are written as one would write them without a library. Those that block hold up the loop they
 * run on, which is why bench.c looks for Ctrl-C between two rows. Whatever a row starts has ended when it returns.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUEUE_ROOM = 1024 };

/* ---- tasks: start and join, one at a time ---- */

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int run_tasks(struct bench *b, int kind, uint64_t count)
{
    (void)b;
    cord_task_options how = { .kind = (cord_kind)kind };
    for (uint64_t i = 0; i < count; i++) {
        cord_task *task;
        int rc = cord_task_start(&task, do_nothing, NULL, 0, &how);
        if (rc < 0)
            return rc;
        rc = cord_task_join(task, CORD_FOREVER, NULL);
        cord_task_free(task);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void *no_thread(void *arg)
{
    return arg;
}

static int run_pthreads(struct bench *b, int which, uint64_t count)
{
    (void)b, (void)which;
    for (uint64_t i = 0; i < count; i++) {
        pthread_t thread;
        int rc = pthread_create(&thread, NULL, no_thread, NULL);
        if (rc != 0)
            return -rc;
        pthread_join(thread, NULL);
    }
    return 0;
}

static void wait_for(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int run_forks(struct bench *b, int which, uint64_t count)
{
    (void)b, (void)which;
    for (uint64_t i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return -errno;
        if (pid == 0)
            _exit(0);
        wait_for(pid);
    }
    return 0;
}

/* ---- switch: two take turns ---- */

/* Starts fn twice in one kind and waits for both, however it goes; the argument is copied. */
static int run_two(cord_kind kind, cord_fn *first, cord_fn *second, const void *arg, size_t size)
{
    cord_group *group;
    int rc = cord_group_new(&group, &(cord_group_options){ .task = { .kind = kind } });
    if (rc < 0)
        return rc;
    rc = cord_group_start(group, first, arg, size);
    if (rc == 0)
        rc = cord_group_start(group, second, arg, size);
    if (rc == 0) {
        rc = cord_group_join(group, CORD_FOREVER);
        if (rc != -ECANCELED)
            return rc;
    }
    cord_group_free(group);
    return rc;
}

static int yield_often(void *arg)
{
    int rc = 0;
    for (uint64_t left = *(uint64_t *)arg; left > 0 && rc == 0; left--)
        rc = cord_yield();
    return rc;
}

static int run_yields(struct bench *b, int which, uint64_t count)
{
    (void)b, (void)which;
    uint64_t half = (count + 1) / 2;
    return run_two(CORD_COROUTINE, yield_often, yield_often, &half, sizeof half);
}

static void *sched_yield_often(void *arg)
{
    for (uint64_t left = *(uint64_t *)arg; left > 0; left--)
        sched_yield();
    return NULL;
}

/* On one CPU, else there would be nothing to switch. */
static int run_sched_yields(struct bench *b, int which, uint64_t count)
{
    (void)b, (void)which;
    uint64_t half = (count + 1) / 2;
    cpu_set_t all, one;
    pthread_t thread;
    if (sched_getaffinity(0, sizeof all, &all) < 0)
        return -errno;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one); /* the new thread inherits it */
    int rc = -pthread_create(&thread, NULL, sched_yield_often, &half);
    if (rc == 0) {
        sched_yield_often(&half);
        pthread_join(thread, NULL);
    }
    sched_setaffinity(0, sizeof all, &all);
    return rc;
}

/* ---- lock: nobody else wants it ---- */

static int open_lock(struct bench *b)
{
    return cord_lock_new(&b->lock, CORD_SHARED);
}

static void close_lock(struct bench *b)
{
    cord_lock_free(b->lock);
    b->lock = NULL;
}

static int run_lock(struct bench *b, int shared, uint64_t count)
{
    cord_lock local = CORD_LOCK_INIT, *lock = shared ? b->lock : &local;
    for (uint64_t i = 0; i < count; i++) {
        int rc = cord_lock_acquire(lock, CORD_FOREVER);
        if (rc < 0)
            return rc;
        cord_lock_release(lock);
    }
    return 0;
}

static int run_mutex(struct bench *b, int shared, uint64_t count)
{
    (void)b;
    pthread_mutex_t mutex;
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    if (shared) {
        pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
    }
    pthread_mutex_init(&mutex, &how);
    for (uint64_t i = 0; i < count; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
    pthread_mutex_destroy(&mutex);
    pthread_mutexattr_destroy(&how);
    return 0;
}

/* ---- queue: one puts, one gets, 8 bytes each ---- */

struct stream {
    cord_queue *queue;
    uint64_t count;
};

static int put_all(void *arg)
{
    const struct stream *s = arg;
    int rc = 0;
    for (uint64_t i = 0; i < s->count && rc == 0; i++)
        rc = cord_queue_put(s->queue, &i, CORD_FOREVER);
    return rc;
}

static int get_all(void *arg)
{
    const struct stream *s = arg;
    uint64_t item;
    int rc = 0;
    for (uint64_t i = 0; i < s->count && rc == 0; i++)
        rc = cord_queue_get(s->queue, &item, CORD_FOREVER);
    return rc;
}

static int run_queue(struct bench *b, int kind, uint64_t count)
{
    (void)b;
    struct stream s = { .count = count };
    int rc = cord_queue_new(&s.queue, sizeof(uint64_t), QUEUE_ROOM, kind == CORD_PROCESS ? CORD_SHARED : 0);
    if (rc < 0)
        return rc;
    rc = run_two((cord_kind)kind, put_all, get_all, &s, sizeof s);
    cord_queue_free(s.queue);
    return rc;
}

struct pipe_stream {
    int fds[2];
    uint64_t count;
};

static void *write_all(void *arg)
{
    const struct pipe_stream *s = arg;
    for (uint64_t i = 0; i < s->count;) {
        ssize_t n = write(s->fds[1], &i, sizeof i);
        if (n < 0 && errno != EINTR)
            break;
        i += n > 0;
    }
    return NULL;
}

static void read_all(const struct pipe_stream *s)
{
    uint64_t item;
    for (uint64_t i = 0; i < s->count;) {
        ssize_t n = read(s->fds[0], &item, sizeof item);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        i += n > 0;
    }
}

static int run_pipe(struct bench *b, int kind, uint64_t count)
{
    (void)b;
    struct pipe_stream s = { .count = count };
    pthread_t thread;
    int rc = 0;
    if (pipe2(s.fds, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = kind == CORD_PROCESS ? fork() : 0;
    if (kind == CORD_PROCESS && pid == 0) {
        close(s.fds[0]); /* so that the end of the reader is the end of the writer */
        write_all(&s);
        _exit(0);
    }
    if (kind == CORD_THREAD)
        rc = -pthread_create(&thread, NULL, write_all, &s);
    else if (pid < 0)
        rc = -errno;
    if (rc == 0)
        read_all(&s);
    if (rc == 0 && kind == CORD_THREAD)
        pthread_join(thread, NULL);
    close(s.fds[0]);
    close(s.fds[1]);
    if (rc == 0 && kind == CORD_PROCESS)
        wait_for(pid);
    return rc;
}

/* ---- timers: a wait with a deadline arms one, its end takes it away, while 10,000 others are armed ---- */

/* Scattered around the one that is measured, which is then neither the first nor the last to fire. */
static cord_span scattered(uint32_t i)
{
    return 30 * CORD_MINUTE + (cord_span)(i * 2654435761u % 3600) * CORD_SECOND;
}

struct armed {
    cord_event *event;
    uint32_t number;
};

static int wait_armed(void *arg)
{
    const struct armed *armed = arg;
    return cord_event_wait(armed->event, cord_in(scattered(armed->number)));
}

static void close_timers(struct bench *b)
{
    cord_group_free(b->waiting);
    cord_event_free(b->event);
    for (int i = 0; i < b->armed_timers; i++)
        timer_delete(b->timers[i]);
    free(b->timers);
    *b = (struct bench){ 0 };
}

static int open_timers(struct bench *b)
{
    struct sigevent silent = { .sigev_notify = SIGEV_NONE };
    b->timers = calloc(ARMED, sizeof *b->timers);
    int rc = b->timers ? cord_event_new(&b->event, 0) : -ENOMEM;
    if (rc == 0)
        rc = cord_group_new(&b->waiting, NULL);
    for (uint32_t i = 0; i < ARMED && rc == 0; i++)
        rc = cord_group_start(b->waiting, wait_armed, &(struct armed){ b->event, i }, sizeof(struct armed));
    for (uint32_t i = 0; i < ARMED && rc == 0; i++) { /* as many as `ulimit -i` allows */
        struct itimerspec when = { .it_value.tv_sec = scattered(i) / CORD_SECOND };
        if (timer_create(CLOCK_MONOTONIC, &silent, &b->timers[i]) < 0)
            break;
        b->armed_timers++;
        timer_settime(b->timers[i], 0, &when, NULL);
    }
    if (rc == 0)
        rc = cord_yield(); /* lets each of them reach its wait */
    return rc;
}

struct turns {
    cord_event *event;
    uint64_t count;
    bool armed;
};

static int wait_often(void *arg)
{
    const struct turns *t = arg;
    int rc = 0;
    for (uint64_t i = 0; i < t->count && rc == 0; i++) {
        rc = cord_event_wait(t->event, t->armed ? cord_in(CORD_HOUR) : CORD_FOREVER);
        cord_event_clear(t->event);
    }
    return rc;
}

static int set_often(void *arg)
{
    const struct turns *t = arg;
    int rc = 0;
    for (uint64_t i = 0; i < t->count && rc == 0; i++) {
        cord_event_set(t->event);
        rc = cord_yield();
    }
    return rc;
}

static int run_waits(struct bench *b, int armed, uint64_t count)
{
    (void)b;
    cord_event event = CORD_EVENT_INIT;
    struct turns t = { .event = &event, .count = count, .armed = armed };
    return run_two(CORD_COROUTINE, wait_often, set_often, &t, sizeof t);
}

static int run_settime(struct bench *b, int which, uint64_t count)
{
    (void)which;
    struct itimerspec hour = { .it_value.tv_sec = 3600 }, never = { 0 };
    if (b->armed_timers == 0)
        return -ENOSYS;
    for (uint64_t i = 0; i < count; i++) {
        timer_settime(b->timers[0], 0, &hour, NULL);
        timer_settime(b->timers[0], 0, &never, NULL);
    }
    return 0;
}

/* ---- the subjects ---- */

const struct subject bench_subjects[SUBJECTS] = {
    { "tasks",
      "start and join, one at a time",
      NULL,
      NULL,
      { { "coroutine", run_tasks, CORD_COROUTINE, 4 },
        { "thread", run_tasks, CORD_THREAD, 4 },
        { "process", run_tasks, CORD_PROCESS, 5 },
        { "serial", run_tasks, CORD_SERIAL, NO_ROW },
        { "pthread_create, join", run_pthreads, 0, NO_ROW },
        { "fork, waitpid", run_forks, 0, NO_ROW } } },
    { "switch",
      "two tasks take turns on one CPU",
      NULL,
      NULL,
      { { "cord_yield, coroutines", run_yields, 0, 1 }, { "sched_yield, threads", run_sched_yields, 0, NO_ROW } } },
    { "lock",
      "acquire and release, nobody else wants it",
      open_lock,
      close_lock,
      { { "cord_lock", run_lock, 0, 2 },
        { "cord_lock, shared", run_lock, 1, 3 },
        { "pthread_mutex", run_mutex, 0, NO_ROW },
        { "pthread_mutex, robust", run_mutex, 1, NO_ROW } } },
    { "queue",
      "8 bytes from one task to another, through room for 1024",
      NULL,
      NULL,
      { { "cord_queue, coroutines", run_queue, CORD_COROUTINE, 3 },
        { "cord_queue, threads", run_queue, CORD_THREAD, 3 },
        { "cord_queue, processes", run_queue, CORD_PROCESS, 4 },
        { "pipe, threads", run_pipe, CORD_THREAD, NO_ROW },
        { "pipe, processes", run_pipe, CORD_PROCESS, NO_ROW } } },
    { "tcp",
      "echo of 64 bytes over 64 connections; CPU: the server's",
      bench_tcp_open,
      bench_tcp_close,
      { { "coroutines, epoll", bench_tcp_run, 0, 3 },
        { "coroutines, uring", bench_tcp_run, 1, 3 },
        { "threads", bench_tcp_run, 2, 3 },
        { "a raw epoll loop", bench_tcp_run, 3, NO_ROW } } },
    { "timers",
      "arm and cancel one, with 10,000 armed",
      open_timers,
      close_timers,
      { { "wait with a deadline", run_waits, true, 2 },
        { "the wait without one", run_waits, false, NO_ROW },
        { "timer_settime, twice", run_settime, 0, NO_ROW } } },
};
