/* rt/records.c - records of tasks, and the list made of them; see records.h. */
#include "rt/records.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "rt/debug.h"
#include "rt/loop.h"
#include "rt/task.h"
#include "rt/team.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/futex.h"

static const int64_t PATIENCE = 200 * CORD_MILLISECOND; /* for a loop's answer */

enum { TRIES = 4, TURNS = 5 };

/* cordi_loop_debug.asked */
enum { NOT_ASKED, ASKED, ANSWERED };

static struct cordi_records *records_new(size_t room)
{
    struct cordi_records *records = malloc(sizeof *records + room * sizeof(struct cordi_record));
    if (records != NULL)
        *records = (struct cordi_records){ .room = room };
    return records;
}

static struct cordi_record record_of(struct cord_task *task)
{
    struct cordi_record record = {
        .kind = task->kind,
        .daemon = task->daemon,
        .state = cordi_wait_is_on(task) ? CORDI_WAITS : CORDI_RUNS,
        .pid = cord_task_pid(task),
        .thread_id = task->kind == CORD_PROCESS ? task->pid : atomic_load(&task->thread_id),
        .what = __atomic_load_n(&task->waits_for, __ATOMIC_RELAXED),
        .fd = -1,
        .started_at = task->started_at,
    };
    memcpy(record.name, cord_task_name(task), sizeof record.name);
    if (!cordi_debug(CORDI_DEBUG_DUMP))
        return record;
    record.fd = atomic_load(&task->note.fd);
    record.since = atomic_load(&task->note.since);
    const uint64_t *lock = atomic_load(&task->note.lock);
    if (record.state == CORDI_WAITS && lock != NULL)
        cordi_debug_holder(lock, record.holder, &record.held_at);
    return record;
}

/* --- coroutines --- */

/* Without notes of who took which lock: the holder is one of these, or it has ended. */
static void find_holder(struct cordi_record *record, const struct cord_task *task, const struct cordi_loop *loop)
{
    if (record->state != CORDI_WAITS || task->lock_owner == NULL || record->holder[0] != '\0')
        return;
    uint64_t owner = atomic_load_explicit((const _Atomic uint64_t *)task->lock_owner, memory_order_relaxed);
    const struct cord_task *found = owner == (uintptr_t)loop->host ? loop->host : NULL;
    for (struct cordi_list *at = loop->tasks.next; at != &loop->tasks && found == NULL; at = at->next)
        if (owner == (uintptr_t)CORDI_ITEM(at, struct cord_task, peers))
            found = CORDI_ITEM(at, struct cord_task, peers);
    if (found != NULL)
        memcpy(record->holder, cord_task_name(found), sizeof record->holder);
}

static void add_coroutine(struct cordi_records *records, struct cordi_loop *loop, struct cord_task *task)
{
    if (records->count == records->room)
        return;
    struct cordi_record *record = &records->at[records->count++];
    *record = record_of(task);
    record->thread_id = loop->thread_id;
    find_holder(record, task, loop);
    if (record->state == CORDI_RUNS && task != loop->thread->current)
        record->state = CORDI_READY;
}

/* Those that were just started from other threads are still in the inbox. */
struct cordi_records *cordi_records_of_loop(struct cordi_loop *loop)
{
    struct cordi_records *records = records_new((size_t)loop->alive);
    for (struct cordi_list *at = loop->tasks.next; at != &loop->tasks && records != NULL; at = at->next)
        add_coroutine(records, loop, CORDI_ITEM(at, struct cord_task, peers));
    for (struct cordi_list *at = atomic_load(&loop->inbox.last); at != NULL && records != NULL; at = at->next)
        if (cordi_list_empty(&CORDI_ITEM(at, struct cord_task, link)->peers))
            add_coroutine(records, loop, CORDI_ITEM(at, struct cord_task, link));
    return records;
}

/* --- threads and processes --- */

static size_t count_tasks(void)
{
    size_t count = 0;
    cordi_spin_lock(&cordi_runtime.lock, 1);
    for (struct cordi_list *at = cordi_runtime.tasks.next; at != &cordi_runtime.tasks; at = at->next)
        count++;
    cordi_spin_unlock(&cordi_runtime.lock, 1);
    return count;
}

struct cordi_records *cordi_records_of_threads(void)
{
    struct cordi_records *records = records_new(count_tasks() + 16); /* some may start meanwhile */
    if (records == NULL)
        return NULL;
    cordi_spin_lock(&cordi_runtime.lock, 1);
    if (cordi_runtime.own != NULL)
        records->at[records->count++] = record_of(cordi_runtime.own);
    for (struct cordi_list *at = cordi_runtime.tasks.next; at != &cordi_runtime.tasks; at = at->next)
        if (records->count < records->room)
            records->at[records->count++] = record_of(CORDI_ITEM(at, struct cord_task, link));
    cordi_spin_unlock(&cordi_runtime.lock, 1);
    return records;
}

/* --- loops --- */

void cordi_records_answer(struct cordi_loop *loop)
{
    uint32_t asked = ASKED;
    if (atomic_load(&loop->debug.asked) != ASKED) /* what it answered is still being read */
        return;
    struct cordi_records *records = cordi_records_of_loop(loop);
    if (records == NULL)
        return;
    loop->debug.answer = records;
    if (atomic_compare_exchange_strong(&loop->debug.asked, &asked, ANSWERED))
        cordi_futex_wake(&loop->debug.asked, 1, false);
    else
        free(records);
}

struct cordi_loop *cordi_records_next_loop(uint32_t after)
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

void cordi_records_let_go(struct cordi_loop *loop)
{
    atomic_fetch_sub(&loop->debug.askers, 1);
}

/* Sleeps a little while `asked` is seen; false: the time is up. */
static bool keep_waiting(struct cordi_loop *loop, uint32_t seen, int64_t until)
{
    struct cordi_loop *own = cordi_thread()->loop;
    int64_t now = cordi_clock_now();
    if (own != NULL && atomic_load(&own->debug.asked))
        cordi_records_answer(own);
    (void)cordi_futex_wait(&loop->debug.asked, seen, now + CORD_MILLISECOND, false);
    return now < until;
}

struct cordi_records *cordi_records_ask(struct cordi_loop *loop)
{
    int64_t until = cordi_clock_now() + TURNS * PATIENCE;
    uint32_t seen = NOT_ASKED;
    while (!atomic_compare_exchange_strong(&loop->debug.asked, &seen, ASKED)) { /* another one asks */
        if (!keep_waiting(loop, seen, until))
            return NULL;
        seen = NOT_ASKED;
    }
    until = cordi_clock_now() + PATIENCE;
    cordi_fd_event_set(loop->host->wake_fd);
    while (atomic_load(&loop->debug.asked) == ASKED && keep_waiting(loop, ASKED, until)) {
    }
    struct cordi_records *answer = NULL;
    seen = ASKED;
    if (!atomic_compare_exchange_strong(&loop->debug.asked, &seen, NOT_ASKED)) {
        answer = loop->debug.answer;
        atomic_store(&loop->debug.asked, NOT_ASKED);
    }
    cordi_futex_wake(&loop->debug.asked, INT_MAX, false);
    return answer;
}

/* --- the list --- */

struct list {
    cord_task_info *at;
    size_t max, count;
};

static void add(struct list *list, const struct cordi_record *record)
{
    if (list->count++ >= list->max)
        return;
    cord_task_info *info = &list->at[list->count - 1];
    *info = (cord_task_info){ .kind = (cord_kind)record->kind,
                              .pid = record->pid,
                              .thread_id = record->thread_id,
                              .daemon = record->daemon,
                              .waits = record->state == CORDI_WAITS };
    memcpy(info->name, record->name, sizeof info->name);
    if (info->waits)
        strncpy(info->what, record->what, sizeof info->what - 1);
}

static void add_all(struct list *list, struct cordi_records *records)
{
    for (size_t i = 0; records != NULL && i < records->count; i++)
        add(list, &records->at[i]);
    free(records);
}

static void add_unstarted(struct cord_task *task, void *arg)
{
    struct cordi_record record = record_of(task);
    add(arg, &record);
}

static int collect(struct list *list, struct cordi_loop *own)
{
    struct cordi_records *records = cordi_records_of_threads();
    struct cordi_loop *loop;
    list->count = 0;
    if (records == NULL)
        return cordi_fail_code(-ENOMEM, "a list of the tasks");
    add_all(list, records);
    for (uint32_t id = 0; (loop = cordi_records_next_loop(id)) != NULL;) {
        id = loop->id;
        records = loop == own ? cordi_records_of_loop(loop) : cordi_records_ask(loop);
        cordi_records_let_go(loop);
        add_all(list, records);
    }
    if (own != NULL && own->team != NULL)
        cordi_team_each(own->team, add_unstarted, list);
    return (int)list->count;
}

/* A task that a loop takes from the team meanwhile is seen in neither place: then once more, but not for ever. */
int cord_task_list(cord_task_info *at, size_t max)
{
    struct list list = { at, max, 0 };
    struct cordi_loop *own = cordi_self()->loop;
    struct cordi_team *team = own != NULL ? own->team : NULL;
    for (int tries = 1;; tries++) {
        uint64_t begun = team != NULL ? cordi_team_begun(team) : 0;
        int rc = collect(&list, own);
        if (rc < 0 || tries == TRIES || team == NULL || begun == cordi_team_begun(team))
            return rc;
    }
}
