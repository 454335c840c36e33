/* tests/interleave/runner/step.c - one operation of one task: on memory, on its buffer of stores, with the fault. */
#include "explore.h"

#include <stdio.h>
#include <string.h>

enum { LOOKS = 2 }; /* of the same load with the same answer; a third one is spinning, and waits for a change */

uint64_t step_bits(const void *value, size_t size)
{
    uint64_t bits = 0;
    memcpy(&bits, value, size);
    return bits;
}

void step_value(void *value, size_t size, uint64_t bits)
{
    memcpy(value, &bits, size);
}

void model_fail(const char *file, int line, const char *what)
{
    if (run.failure[0] == '\0')
        snprintf(run.failure, sizeof run.failure, "%s, at %s:%d", what,
                 strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line);
    if (run.self != NULL)
        for (;;)
            cordi_ctx_switch(&run.self->ctx, &run.main); /* this schedule ends here */
}

static void note(const struct site *site, enum event_kind kind, uint64_t value)
{
    if (run.self == NULL || run.made >= STEPS)
        return;
    run.events[run.made++] = (struct event){ .task = (int)(run.self - run.tasks),
                                             .line = site->line,
                                             .file = site->file,
                                             .function = site->function,
                                             .text = site->text,
                                             .value = value,
                                             .kind = kind };
}

/* Before an operation: the search decides when it is made. */
static void begin(const volatile void *at, size_t size, const struct site *site)
{
    if (run.self != NULL)
        explore_pause(site->text);
    for (int i = 0; i < run.gone_count; i++)
        if ((const volatile char *)at < (char *)run.gone[i].at + run.gone[i].size &&
            (const volatile char *)at + size > (char *)run.gone[i].at) {
            note(site, MADE, 0);
            model_fail(site->file, site->line, "memory is touched that is gone");
        }
}

static bool fault_is(enum fault_kind kind, const struct site *site)
{
    const struct fault *fault = run.fault;
    bool met = fault != NULL && run.self != NULL && fault->kind == kind && strcmp(fault->in, site->function) == 0 &&
               strstr(site->text, fault->at) != NULL;
    run.fault_met += met;
    return met;
}

static uint64_t memory(const volatile void *at, size_t size)
{
    return step_bits((const void *)at, size);
}

/* As the calling task sees it. */
static uint64_t view(const volatile void *at, size_t size)
{
    for (uint64_t i = run.self != NULL ? run.self->at.stores : 0; i > 0; i--)
        if (run.self->at.buffer[i - 1].at == at)
            return run.self->at.buffer[i - 1].value;
    return memory(at, size);
}

static void write(const struct task *writer, volatile void *at, size_t size, uint64_t value)
{
    uint64_t before = memory(at, size);
    step_value((void *)at, size, value);
    for (int i = 0; i < run.count && memory(at, size) != before; i++)
        if (&run.tasks[i] != writer)
            run.tasks[i].at.news = 1;
}

void step_flush(struct task *task)
{
    struct pending oldest = task->at.buffer[0];
    task->at.stores--;
    memmove(task->at.buffer, task->at.buffer + 1, task->at.stores * sizeof *task->at.buffer);
    memset(&task->at.buffer[task->at.stores], 0, sizeof *task->at.buffer);
    run.self = task;
    note(&oldest.site, VISIBLE, 0);
    write(task, oldest.at, oldest.size, oldest.value);
}

static void empty_buffer(void)
{
    while (run.self != NULL && run.self->at.stores > 0)
        step_flush(run.self);
}

static bool has_changed(void *arg)
{
    const struct progress *at = arg;
    return memory(at->looked, at->looked_size) != at->found;
}

static void look_ends(void)
{
    if (run.self != NULL) {
        struct progress *at = &run.self->at;
        at->looked = NULL;
        at->looked_size = at->looked_line = at->looks = at->found = 0;
    }
}

uint64_t step_load(const volatile void *at, size_t size, struct site site)
{
    struct progress *mine = run.self != NULL ? &run.self->at : NULL;
    bool again = mine != NULL && mine->looked == at && mine->looked_line == (uint64_t)site.line;
    if (again && mine->looks >= LOOKS && view(at, size) == memory(at, size)) {
        mine->ready = has_changed;
        mine->arg = mine;
    }
    begin(at, size, &site);
    uint64_t value = fault_is(LIES, &site) ? run.fault->answer : view(at, size);
    if (mine != NULL) {
        mine->looks = again && value == mine->found ? mine->looks + 1 : 1;
        mine->looked = at;
        mine->looked_size = size;
        mine->looked_line = (uint64_t)site.line;
        mine->found = value;
    }
    note(&site, ANSWERED, value);
    return value;
}

void step_store(volatile void *at, size_t size, uint64_t value, int order, struct site site)
{
    begin(at, size, &site);
    look_ends();
    if (fault_is(WEAKER, &site))
        order = memory_order_relaxed;
    if (order == memory_order_seq_cst)
        empty_buffer();
    else if (run.self != NULL && run.self->at.stores == BUFFER)
        step_flush(run.self);
    note(&site, MADE, value);
    if (fault_is(LOST, &site))
        return;
    if (order == memory_order_seq_cst || run.self == NULL)
        write(run.self, at, size, value);
    else
        run.self->at.buffer[run.self->at.stores++] = (struct pending){ at, size, value, site };
}

static uint64_t changed(enum change change, uint64_t before, uint64_t value)
{
    switch (change) {
    case ADD:
        return before + value;
    case SUBTRACT:
        return before - value;
    case OR:
        return before | value;
    case AND:
        return before & value;
    default:
        return value;
    }
}

uint64_t step_change(volatile void *at, size_t size, enum change change, uint64_t value, struct site site)
{
    begin(at, size, &site);
    look_ends();
    if (fault_is(LIES, &site)) {
        note(&site, ANSWERED, run.fault->answer);
        return run.fault->answer;
    }
    empty_buffer();
    uint64_t before = memory(at, size);
    note(&site, ANSWERED, before);
    if (fault_is(TORN, &site)) {
        begin(at, size, &site);
        note(&site, VISIBLE, 0);
    }
    if (!fault_is(LOST, &site))
        write(run.self, at, size, changed(change, before, value));
    return before;
}

bool step_compare(volatile void *at, size_t size, uint64_t *seen, uint64_t value, struct site site)
{
    begin(at, size, &site);
    look_ends();
    if (fault_is(LIES, &site)) {
        note(&site, ANSWERED, run.fault->answer);
        return run.fault->answer;
    }
    empty_buffer();
    uint64_t before = memory(at, size);
    bool equal = before == *seen;
    note(&site, ANSWERED, equal);
    *seen = before;
    if (equal && fault_is(TORN, &site)) {
        begin(at, size, &site);
        note(&site, VISIBLE, 0);
    }
    if (equal && !fault_is(LOST, &site))
        write(run.self, at, size, value);
    return equal;
}

void step_fence(int order, struct site site)
{
    begin(NULL, 0, &site);
    look_ends();
    note(&site, MADE, 0);
    if (order == memory_order_seq_cst && !fault_is(WEAKER, &site))
        empty_buffer();
}

/* --- steps of models --- */

void model_wait(bool (*ready)(void *arg), void *arg, const char *what)
{
    struct site site = { "", "", what, 0 };
    if (run.self == NULL)
        return;
    run.self->at.ready = ready;
    run.self->at.arg = arg;
    explore_pause(what);
    look_ends();
    note(&site, MADE, 0);
}

void model_step(const char *what)
{
    model_wait(NULL, NULL, what);
}

static bool has_news(void *arg)
{
    return ((struct progress *)arg)->news != 0;
}

void model_yield(void)
{
    model_wait(has_news, &run.self->at, "lets the others go first");
    run.self->at.news = 0;
}

void model_kill(int task)
{
    struct task *killed = &run.tasks[task], *self = run.self;
    while (killed->at.stores > 0)
        step_flush(killed);
    run.self = self;
    memset(&killed->at, 0, sizeof killed->at);
    killed->at.done = 1;
}

void model_gone(void *at, size_t size)
{
    memset(at, 0xee, size);
    run.gone[run.gone_count].at = at;
    run.gone[run.gone_count++].size = size;
}

static bool others_done(void *arg)
{
    for (int i = 0; i < run.count; i++)
        if (&run.tasks[i] != arg && (!(run.tasks[i].at.done || run.tasks[i].at.resting) || run.tasks[i].at.stores > 0))
            return false;
    return true;
}

__attribute__((noinline)) void model_rest(void)
{
    volatile unsigned char area[1024];
    for (size_t i = 0; i < sizeof area; i++)
        area[i] = 0xee;
    run.self->at.resting = 1;
    model_wait(others_done, run.self, "the others' ends");
    for (size_t i = 0; i < sizeof area; i++)
        if (area[i] != 0xee)
            model_fail(__FILE__, __LINE__, "the stack of a call that had returned was written to");
}
