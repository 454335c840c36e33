/* rt/asleep.c - see asleep.h. */
#include "rt/asleep.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt/dump.h"
#include "rt/loop.h"
#include "rt/offload.h"
#include "rt/records.h"
#include "rt/task.h"
#include "sys/proc.h"

#define BIT(signo) ((uint64_t)1 << ((signo)-1))

/* What another task of the process does, and nobody else. */
static const char *const from_tasks[] = {
    "a task to end",
    "a group",
    "a lock",
    "an event",
    "a condition",
    "a semaphore",
    "a barrier",
    "a queue to be done",
    "the first of several",
    "an item of a queue",
    "room in a queue",
    "its turn on a socket",
    "the last user of a socket",
};
enum { FROM_TASKS = sizeof from_tasks / sizeof *from_tasks };

bool cordi_asleep_alone(struct cordi_loop *loop)
{
    return loop->team == NULL && cordi_list_empty(&loop->ready) && loop->outside == 0 &&
           cordi_heap_empty(&loop->timers) && cordi_inbox_empty(&loop->inbox);
}

/* No other loop turns, and no task has a thread or a process of its own; foreign threads are counted elsewhere. */
static bool is_the_only_one(const struct cordi_loop *loop)
{
    cordi_spin_lock(&cordi_runtime.lock, 1);
    bool only = cordi_runtime.loops.next == &loop->link && cordi_runtime.loops.prev == &loop->link;
    for (struct cordi_list *at = cordi_runtime.tasks.next; at != &cordi_runtime.tasks; at = at->next)
        only = only && CORDI_ITEM(at, struct cord_task, link)->adopted;
    cordi_spin_unlock(&cordi_runtime.lock, 1);
    return only;
}

/* Faults come from a thread that runs; 32 and 33 are the C library's own. */
static bool no_other_thread_or_handler(uint64_t own_handlers)
{
    static const uint64_t faults =
        BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGABRT) | BIT(32) | BIT(33);
    int helpers = cordi_offload_idle();
    unsigned threads;
    uint64_t caught;
    if (helpers < 0 || cordi_proc_status(&threads, &caught) < 0)
        return false;
    uint64_t dumps = cordi_dump_handler() ? BIT(SIGQUIT) : 0;
    return threads == 1 + (unsigned)helpers + (dumps != 0) && (caught & ~(faults | own_handlers | dumps)) == 0;
}

static bool waits_for_tasks(const struct cord_task *task)
{
    for (int i = 0; i < FROM_TASKS && cordi_wait_is_on(task); i++)
        if (strcmp(task->waits_for, from_tasks[i]) == 0)
            return true;
    return false;
}

bool cordi_asleep_for_ever(struct cordi_loop *loop, uint64_t own_handlers)
{
    size_t count = 0;
    if (!loop->host->adopted || !is_the_only_one(loop) || !no_other_thread_or_handler(own_handlers))
        return false;
    for (struct cordi_list *at = loop->tasks.next; at != &loop->tasks; at = at->next, count++)
        if (!waits_for_tasks(CORDI_ITEM(at, struct cord_task, peers)))
            return false;
    return count == atomic_load(&loop->alive) && cordi_asleep_alone(loop);
}

/* Adds the waits of those who wait for the end of others, or of the rest, as long as there is room. */
static size_t name_waits(const struct cordi_records *records, bool joiners, char *sentence, size_t size, size_t length)
{
    for (size_t i = 0; records != NULL && i < records->count && length < size; i++) {
        const struct cordi_record *task = &records->at[i];
        bool joins = strcmp(task->what, "a task to end") == 0 || strcmp(task->what, "a group") == 0;
        if (joins == joiners)
            length += (size_t)snprintf(sentence + length, size - length, "%s\"%s\" waits for %s%s%s%s",
                                       sentence[length - 1] == ' ' ? "" : ", ", task->name, task->what,
                                       task->holder[0] ? " of \"" : "", task->holder, task->holder[0] ? "\"" : "");
    }
    return length;
}

void cordi_asleep_report(struct cordi_loop *loop, char *sentence, size_t size)
{
    unsigned alive = (unsigned)atomic_load(&loop->alive);
    size_t length = 0;
    if (alive == 1)
        length = (size_t)snprintf(sentence, size, "the only task is asleep and nothing can wake it: ");
    else
        length = (size_t)snprintf(sentence, size, "all %u tasks are asleep and nothing can wake them: ", alive);
    cordi_log("%.*s", (int)length - 1, sentence);
    cordi_dump_loop(loop);
    struct cordi_records *records = cordi_records_of_loop(loop);
    length = name_waits(records, false, sentence, size, length);
    (void)name_waits(records, true, sentence, size, length);
    free(records);
}
