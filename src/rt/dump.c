/* rt/dump.c - the lines made of records; see dump.h. */
#include "rt/dump.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordage/error.h>

#include "rt/debug.h"
#include "rt/loop.h"
#include "rt/records.h"
#include "rt/task.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/place.h"
#include "sys/proc.h"

static _Atomic int quit_fd = -1; /* eventfd between the handler and the thread; -1: none */

/* --- lines --- */

/* "has waited 3.2 s for data on descriptor 7" */
static void describe_wait(char *text, size_t size, const struct cordi_record *record, int64_t now)
{
    char time[32] = "waits", descriptor[32] = "", holder[320] = "", place[256];
    if (record->since != 0)
        snprintf(time, sizeof time, "has waited %.1f s", (double)(now - record->since) / (double)CORD_SECOND);
    if (record->fd >= 0)
        snprintf(descriptor, sizeof descriptor, " on descriptor %d", record->fd);
    if (record->held_at != NULL) {
        cordi_place_text(place, sizeof place, record->held_at);
        snprintf(holder, sizeof holder, " that \"%s\" holds (taken at %s)", record->holder, place);
    } else if (record->holder[0] != '\0')
        snprintf(holder, sizeof holder, " that \"%s\" holds", record->holder);
    snprintf(text, size, "%s for %s%s%s", time, record->what, descriptor, holder);
}

static void log_record(const struct cordi_record *record, int64_t now)
{
    char kind[32], state[448], place[256];
    if (record->kind == CORD_PROCESS)
        snprintf(kind, sizeof kind, "process %d", record->pid);
    else
        snprintf(kind, sizeof kind, "%s", cord_kind_name(record->kind));
    if (record->state == CORDI_WAITS)
        describe_wait(state, sizeof state, record, now);
    else
        snprintf(state, sizeof state, "%s", record->state == CORDI_READY ? "is ready" : "runs");
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
    struct cordi_records *records = cordi_records_of_loop(loop);
    if (records == NULL)
        return;
    log_records(records);
    log_hint(records);
    free(records);
}

/* --- loops --- */

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
        count += records->at[i].state == CORDI_READY;
    return count;
}

static struct cordi_records *dump_loop(struct cordi_loop *loop)
{
    struct cordi_records *records = cordi_records_ask(loop);
    if (records == NULL) {
        log_stuck(loop);
        return NULL;
    }
    cordi_log("loop %u (%s, thread %d): %zu coroutines, %zu ready", loop->id, loop->backend->name, loop->thread_id,
              records->count, count_ready(records));
    log_records(records);
    return records;
}

static void dump_all(void)
{
    struct cordi_records *shown = cordi_records_of_threads();
    struct cordi_loop *loop;
    cordi_log("the tasks of process %d:", cordi_proc_pid());
    if (shown != NULL)
        log_records(shown);
    for (uint32_t id = 0; (loop = cordi_records_next_loop(id)) != NULL;) {
        struct cordi_records *records = dump_loop(loop);
        id = loop->id;
        cordi_records_let_go(loop);
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

static void *run(void *unused)
{
    (void)unused;
    int fd = atomic_load(&quit_fd);
    cordi_proc_signals_block(); /* they are the program's */
    cordi_proc_thread_name("cord-dump");
    for (;;) {
        struct pollfd asked = { .fd = fd, .events = POLLIN };
        if (cordi_fd_poll(&asked, 1, 0) <= 0)
            continue;
        cordi_fd_event_clear(fd);
        dump_all();
    }
    return NULL;
}

void cordi_dump_start(void)
{
    int fd = cordi_fd_event();
    int rc = fd < 0 ? fd : cordi_proc_signal_replace(SIGQUIT, SIG_DFL, on_quit);
    if (rc == 0) {
        atomic_store(&quit_fd, fd);
        rc = cordi_proc_thread(run, NULL, 0);
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
