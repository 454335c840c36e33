/* rt/dump.c - records of tasks, and the lines made of them; see dump.h. */
#include "rt/dump.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordage/error.h>

#include "rt/debug.h"
#include "rt/loop.h"
#include "rt/task.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/futex.h"
#include "sys/place.h"
#include "sys/proc.h"

static const int64_t PATIENCE = 200 * CORD_MILLISECOND; /* for a loop's answer */

enum state { RUNS, READY, WAITS };

struct record {
    char name[32];
    uint8_t kind;
    enum state state;
    int pid;
    const char *what;       /* it waits for */
    int fd;                 /* that it waits for, -1: none */
    int64_t since;          /* its wait began, 0: not known */
    const void *started_at; /* NULL: cordage did not start it */
};

struct cordi_records {
    size_t count, room;
    struct record at[];
};

/* cordi_loop_debug.asked */
enum { NOT_ASKED, ASKED, ANSWERED };

static _Atomic int quit_fd = -1; /* eventfd between the handler and the thread; -1: none */

/* --- records --- */

static struct cordi_records *records_new(size_t room)
{
    struct cordi_records *records = malloc(sizeof *records + room * sizeof(struct record));
    if (records != NULL)
        *records = (struct cordi_records){ .room = room };
    return records;
}

static struct record record_of(struct cord_task *task)
{
    struct record record = {
        .kind = task->kind,
        .state = cordi_wait_is_on(task) ? WAITS : RUNS,
        .pid = task->pid,
        .what = atomic_load(&task->note.what),
        .fd = atomic_load(&task->note.fd),
        .since = atomic_load(&task->note.since),
        .started_at = task->started_at,
    };
    memcpy(record.name, cord_task_name(task), sizeof record.name);
    return record;
}

/* On the loop's thread, while none of its coroutines runs. NULL: out of memory. */
static struct cordi_records *coroutines_of(struct cordi_loop *loop)
{
    struct cordi_records *records = records_new((size_t)loop->alive);
    for (struct cordi_list *at = loop->tasks.next; at != &loop->tasks && records != NULL; at = at->next) {
        struct cord_task *task = CORDI_ITEM(at, struct cord_task, peers);
        if (records->count == records->room)
            break;
        struct record *record = &records->at[records->count++];
        *record = record_of(task);
        record->what = task->waits_for;
        if (!cordi_debug(CORDI_DEBUG_DUMP)) {
            record->since = 0;
            record->fd = -1;
        }
        if (record->state == RUNS)
            record->state = READY;
    }
    return records;
}

static size_t count_tasks(void)
{
    size_t count = 0;
    cordi_spin_lock(&cordi_runtime.lock, 1);
    for (struct cordi_list *at = cordi_runtime.tasks.next; at != &cordi_runtime.tasks; at = at->next)
        count++;
    cordi_spin_unlock(&cordi_runtime.lock, 1);
    return count;
}

static struct cordi_records *threads_and_processes(void)
{
    struct cordi_records *records = records_new(count_tasks() + 16); /* some may start meanwhile */
    if (records == NULL)
        return NULL;
    cordi_spin_lock(&cordi_runtime.lock, 1);
    for (struct cordi_list *at = cordi_runtime.tasks.next; at != &cordi_runtime.tasks; at = at->next)
        if (records->count < records->room)
            records->at[records->count++] = record_of(CORDI_ITEM(at, struct cord_task, link));
    cordi_spin_unlock(&cordi_runtime.lock, 1);
    return records;
}

/* --- lines --- */

/* "has waited 3.2 s for data on descriptor 7" */
static void describe_wait(char *text, size_t size, const struct record *record, int64_t now)
{
    char time[32] = "waits", descriptor[32] = "";
    if (record->since != 0)
        snprintf(time, sizeof time, "has waited %.1f s", (double)(now - record->since) / (double)CORD_SECOND);
    if (record->fd >= 0)
        snprintf(descriptor, sizeof descriptor, " on descriptor %d", record->fd);
    snprintf(text, size, "%s for %s%s", time, record->what, descriptor);
}

static void log_record(const struct record *record, int64_t now)
{
    char kind[32], state[96], place[256];
    if (record->kind == CORD_PROCESS)
        snprintf(kind, sizeof kind, "process %d", record->pid);
    else
        snprintf(kind, sizeof kind, "%s", cord_kind_name(record->kind));
    if (record->state == WAITS)
        describe_wait(state, sizeof state, record, now);
    else
        snprintf(state, sizeof state, "%s", record->state == READY ? "is ready" : "runs");
    if (record->started_at != NULL)
        cordi_place_text(place, sizeof place, record->started_at);
    else
        snprintf(place, sizeof place, "by the program itself");
    cordi_log("  \"%s\" (%s) %s; started %s%s", record->name, kind, state, record->started_at != NULL ? "at " : "",
              place);
}

static void log_records(const struct cordi_records *records)
{
    int64_t now = cordi_clock_now();
    for (size_t i = 0; i < records->count; i++)
        log_record(&records->at[i], now);
}

/* How to read the places: by example. */
static void log_hint(const struct cordi_records *records)
{
    struct cordi_place place;
    for (size_t i = 0; records != NULL && i < records->count; i++)
        if (cordi_place_find(&place, records->at[i].started_at)) {
            cordi_log("the line of %s+%#zx: addr2line -e %s %#zx", place.file, place.number, place.file, place.number);
            return;
        }
}

void cordi_dump_loop(struct cordi_loop *loop)
{
    struct cordi_records *records = coroutines_of(loop);
    if (records == NULL)
        return;
    log_records(records);
    log_hint(records);
    free(records);
}

/* --- loops --- */

void cordi_dump_answer(struct cordi_loop *loop)
{
    uint32_t asked = ASKED;
    if (atomic_load(&loop->debug.asked) != ASKED) /* what it answered is still being read */
        return;
    struct cordi_records *records = coroutines_of(loop);
    if (records == NULL)
        return;
    loop->debug.answer = records;
    if (atomic_compare_exchange_strong(&loop->debug.asked, &asked, ANSWERED))
        cordi_futex_wake(&loop->debug.asked, 1, false);
    else
        free(records);
}

/* The loop with the next number, which does not end before let_go(); NULL: there is none. */
static struct cordi_loop *next_loop(uint32_t after)
{
    struct cordi_loop *next = NULL;
    cordi_spin_lock(&cordi_runtime.lock, 1);
    for (struct cordi_list *at = cordi_runtime.loops.next; at != &cordi_runtime.loops; at = at->next) {
        struct cordi_loop *loop = CORDI_ITEM(at, struct cordi_loop, link);
        if (loop->id > after && (next == NULL || loop->id < next->id))
            next = loop;
    }
    if (next != NULL)
        atomic_fetch_add(&next->debug.askers, 1);
    cordi_spin_unlock(&cordi_runtime.lock, 1);
    return next;
}

static void let_go(struct cordi_loop *loop)
{
    atomic_fetch_sub(&loop->debug.askers, 1);
}

/* NULL: it does not answer. */
static struct cordi_records *ask(struct cordi_loop *loop)
{
    int64_t until = cordi_clock_now() + PATIENCE;
    uint32_t asked = ASKED;
    atomic_store(&loop->debug.asked, ASKED);
    cordi_fd_event_set(loop->host->wake_fd);
    while (atomic_load(&loop->debug.asked) == ASKED && cordi_clock_now() < until)
        (void)cordi_futex_wait(&loop->debug.asked, ASKED, until, false);
    if (atomic_compare_exchange_strong(&loop->debug.asked, &asked, NOT_ASKED))
        return NULL;
    atomic_store(&loop->debug.asked, NOT_ASKED);
    return loop->debug.answer;
}

static void log_stuck(struct cordi_loop *loop)
{
    char name[sizeof loop->debug.name], place[256];
    cordi_spin_lock(&loop->debug.lock, 1);
    int64_t begun = loop->debug.begun;
    const void *started_at = loop->debug.started_at;
    memcpy(name, loop->debug.name, sizeof name);
    cordi_spin_unlock(&loop->debug.lock, 1);
    cordi_place_text(place, sizeof place, started_at);
    if (begun == 0)
        cordi_log("loop %u does not answer", loop->id);
    else
        cordi_log("loop %u has been running \"%s\" for %.1f s, and its other coroutines stand still; started at %s",
                  loop->id, name, (double)(cordi_clock_now() - begun) / (double)CORD_SECOND, place);
}

static size_t count_ready(const struct cordi_records *records)
{
    size_t count = 0;
    for (size_t i = 0; i < records->count; i++)
        count += records->at[i].state == READY;
    return count;
}

static struct cordi_records *dump_loop(struct cordi_loop *loop)
{
    struct cordi_records *records = ask(loop);
    if (records == NULL) {
        log_stuck(loop);
        return NULL;
    }
    cordi_log("loop %u (%s, thread %d): %zu coroutines, %zu ready", loop->id, loop->backend->name, loop->thread_id,
              records->count, count_ready(records));
    log_records(records);
    return records;
}

static void dump_all(struct cord_task *own)
{
    struct cordi_records *shown = threads_and_processes();
    struct cordi_loop *loop;
    cordi_log("the tasks of process %d:", cordi_proc_pid());
    if (own != NULL) {
        struct record record = record_of(own);
        log_record(&record, cordi_clock_now());
    }
    if (shown != NULL)
        log_records(shown);
    for (uint32_t id = 0; (loop = next_loop(id)) != NULL;) {
        struct cordi_records *records = dump_loop(loop);
        id = loop->id;
        let_go(loop);
        if (records != NULL) {
            free(shown);
            shown = records;
        }
    }
    log_hint(shown);
    free(shown);
}

/* --- the signal and the thread --- */

static void on_quit(int signo)
{
    (void)signo;
    int fd = atomic_load(&quit_fd);
    if (fd >= 0)
        cordi_fd_event_set(fd);
}

static void *run(void *arg)
{
    int fd = atomic_load(&quit_fd);
    cordi_proc_signals_block(); /* they are the program's */
    cordi_proc_thread_name("cord-dump");
    for (;;) {
        struct pollfd asked = { .fd = fd, .events = POLLIN };
        if (cordi_fd_poll(&asked, 1, 0) <= 0)
            continue;
        cordi_fd_event_clear(fd);
        dump_all(arg);
    }
    return NULL;
}

void cordi_dump_start(struct cord_task *own)
{
    int fd = cordi_fd_event();
    int rc = fd < 0 ? fd : cordi_proc_signal_replace(SIGQUIT, SIG_DFL, on_quit);
    if (rc == 0) {
        atomic_store(&quit_fd, fd);
        rc = cordi_proc_thread(run, own, 0);
    }
    if (rc == 0)
        return;
    cordi_log("CORD_DEBUG=dump: there will be no dump: %s",
              rc == -EBUSY ? "the program handles or ignores SIGQUIT itself" : cord_strerror(rc));
    atomic_store(&quit_fd, -1);
    (void)cordi_proc_signal_replace(SIGQUIT, on_quit, SIG_DFL);
    if (fd >= 0)
        cordi_fd_close(fd);
}

bool cordi_dump_handler(void)
{
    return atomic_load(&quit_fd) >= 0;
}

void cordi_dump_after_fork(void)
{
    int fd = atomic_exchange(&quit_fd, -1);
    if (fd < 0)
        return;
    cordi_fd_close(fd);
    (void)cordi_proc_signal_replace(SIGQUIT, on_quit, SIG_DFL);
}
