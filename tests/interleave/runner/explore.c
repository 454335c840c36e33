/* tests/interleave/runner/explore.c - the search through all schedules; see interleave.h.
 *
 * A schedule is a list of choices: at each point, which of those that can be made. The next schedule is the same list
 * up to the last choice that has another possibility, and that one. A new point is remembered by a hash of all that
 * decides what comes after it: the state, the live part of each stack (where registers are saved too), the buffers and
 * what each task waits for. At a point that was met before the schedule is given up: all that follows has been seen, or
 * will be when the search comes back to where it was met first. So a loop in which nothing changes ends the schedule
 * and not the search; a task that spins waits for a change instead (step.c), so that a deadlock shows as one. Tasks
 * that go round for ever are only seen when no schedule at all comes to its end.
 *
 * Choosing the last one again comes first, so that the first schedule that fails has few changes between tasks and
 * reads well. Sets of independent steps (partial order reduction) were left: these models finish without.
 */
#include "explore.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STACK = 16 * 1024 };

struct run run;

static _Alignas(64) char stacks[MODEL_TASKS][STACK];

static struct {
    uint8_t chosen[STEPS], count[STEPS];
    int length, at;
    int last; /* the task of the last choice */
} path;

static struct {
    uint64_t *slots;
    uint64_t size; /* a power of two */
} met;

/* --- points --- */

static uint64_t hash(uint64_t seed, const void *at, size_t size)
{
    uint64_t word, h = seed;
    assert(size % sizeof word == 0);
    for (const char *p = at, *end = p + size; p < end; p += sizeof word) {
        memcpy(&word, p, sizeof word);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h;
}

static uint64_t point(void)
{
    uint64_t h = hash(1, run.model->state, run.model->size);
    for (int i = 0; i < run.count; i++) {
        const struct task *task = &run.tasks[i];
        h = hash(h, &task->at, offsetof(struct progress, buffer) + task->at.stores * sizeof *task->at.buffer);
        if (!task->at.done)
            h = hash(h, task->ctx.sp, (size_t)(task->stack + STACK - (char *)task->ctx.sp));
    }
    return h != 0 ? h : 1;
}

/* True: for the first time. */
static bool insert(uint64_t h)
{
    uint64_t i = h & (met.size - 1);
    for (; met.slots[i] != 0; i = (i + 1) & (met.size - 1))
        if (met.slots[i] == h)
            return false;
    met.slots[i] = h;
    return true;
}

static bool remember(uint64_t h)
{
    if (run.points * 2 >= met.size) {
        uint64_t *old = met.slots, size = met.size;
        met.size = size > 0 ? size * 2 : 1 << 16;
        met.slots = calloc(met.size, sizeof *met.slots);
        assert(met.slots != NULL);
        for (uint64_t i = 0; i < size; i++)
            if (old[i] != 0)
                (void)insert(old[i]);
        free(old);
    }
    bool new = insert(h);
    run.points += new;
    return new;
}

/* --- one schedule --- */

void explore_pause(const char *next)
{
    run.self->next = next;
    cordi_ctx_switch(&run.self->ctx, &run.main);
}

static struct cordi_ctx *entry(void *arg)
{
    struct task *task = arg;
    size_t i = (size_t)(task - run.tasks);
    run.model->tasks[i].body(run.model->tasks[i].arg);
    task->at.done = 1;
    return &run.main;
}

static void go_on(struct task *task)
{
    task->at.ready = NULL;
    task->at.arg = NULL;
    run.self = task;
    cordi_ctx_switch(&run.main, &task->ctx);
    run.self = NULL;
}

/* Each task runs to its first step. */
static void begin(void)
{
    memset(run.model->state, 0, run.model->size);
    memset(stacks, 0, sizeof stacks);
    run.made = run.gone_count = 0;
    run.failure[0] = '\0';
    run.self = NULL;
    path.at = path.last = 0;
    run.model->setup();
    for (int i = 0; i < run.count; i++) {
        struct task *task = &run.tasks[i];
        memset(&task->at, 0, sizeof task->at);
        task->name = run.model->tasks[i].name;
        task->stack = stacks[i];
        cordi_ctx_make(&task->ctx, task->stack, STACK);
        cordi_ctx_begin(&task->ctx, task->stack, task->stack + STACK, entry, task);
        go_on(task);
    }
}

enum { FLUSH = MODEL_TASKS }; /* a choice: a task's next step, or FLUSH + a task: its oldest store becomes visible */

static int choices(int found[2 * MODEL_TASKS])
{
    int count = 0;
    for (int i = 0; i < run.count; i++) {
        int which = (path.last + i) % run.count;
        struct task *task = &run.tasks[which];
        if (!task->at.done && (task->at.ready == NULL || task->at.ready(task->at.arg)))
            found[count++] = which;
    }
    for (int i = 0; i < run.count; i++)
        if (run.tasks[i].at.stores > 0)
            found[count++] = FLUSH + i;
    return count;
}

static void at_the_end(void)
{
    const char *stuck = NULL, *what = NULL;
    for (int i = 0; i < run.count; i++)
        if (!run.tasks[i].at.done && (stuck == NULL || !run.tasks[i].at.resting)) {
            stuck = run.tasks[i].name;
            what = run.tasks[i].next;
        }
    if (stuck != NULL) {
        snprintf(run.failure, sizeof run.failure, "nothing can go on: %s waits for ever: %s", stuck, what);
        return;
    }
    for (int i = 0; i < run.gone_count; i++)
        for (size_t byte = 0; byte < run.gone[i].size; byte++)
            if (((unsigned char *)run.gone[i].at)[byte] != 0xee)
                model_fail(__FILE__, __LINE__, "memory was written to that was gone");
    run.model->check();
    run.ends++;
}

/* One schedule, with the choices of the path as far as that goes, and then the first ones. */
static void one(void)
{
    int found[2 * MODEL_TASKS];
    begin();
    while (run.failure[0] == '\0') {
        int count = choices(found);
        if (count == 0) {
            at_the_end();
            return;
        }
        if (path.at == path.length) {
            if (!remember(point()))
                return;
            path.chosen[path.length] = 0;
            path.count[path.length++] = (uint8_t)count;
        }
        int choice = found[path.chosen[path.at++]];
        if (choice >= FLUSH) {
            step_flush(&run.tasks[choice - FLUSH]);
            run.self = NULL;
        } else {
            path.last = choice;
            go_on(&run.tasks[choice]);
        }
        if (path.at == STEPS)
            snprintf(run.failure, sizeof run.failure, "no end after %d steps", STEPS);
    }
}

bool explore(const struct model *model, const struct fault *fault)
{
    run = (struct run){ .model = model, .fault = fault };
    path.length = 0;
    cordi_ctx_adopt(&run.main);
    while (run.count < MODEL_TASKS && model->tasks[run.count].body != NULL)
        run.count++;
    for (;;) {
        one();
        run.schedules++;
        if (run.failure[0] != '\0')
            return false;
        while (path.length > 0 && path.chosen[path.length - 1] + 1 == path.count[path.length - 1])
            path.length--;
        if (path.length == 0)
            break;
        path.chosen[path.length - 1]++;
    }
    if (run.ends == 0)
        snprintf(run.failure, sizeof run.failure, "no schedule comes to an end: all go round for ever");
    return run.ends > 0;
}
