/* tests/interleave/runner/explore.h - between the search (explore.c), its steps (step.c) and its report (models.c). */
#ifndef TESTS_INTERLEAVE_EXPLORE_H
#define TESTS_INTERLEAVE_EXPLORE_H

#include "interleave.h"

#include "sys/ctx.h"

enum { BUFFER = 8, STEPS = 2000, GONE = 8 };

/* A store that only its own task sees yet. */
struct pending {
    volatile void *at;
    size_t size;
    uint64_t value;
    struct site site;
};

/* What one task is at; part of a point, so it has no padding with garbage in it: it is cleared before each schedule. */
struct progress {
    uint64_t done, resting;
    uint64_t news;            /* another task has changed something since model_yield() looked */
    bool (*ready)(void *arg); /* the next step must wait for it; NULL: it need not */
    void *arg;
    const volatile void *looked; /* at what it looked in its last step, if that was a load, and how often in a row */
    uint64_t looked_size, looked_line, looks, found;
    uint64_t stores; /* in its buffer */
    struct pending buffer[BUFFER];
};

struct task {
    struct cordi_ctx ctx;
    struct progress at;
    const char *name;
    const char *next; /* step: for the report of a deadlock */
    char *stack;
};

enum event_kind { MADE, ANSWERED, VISIBLE };

/* One line of the trace. */
struct event {
    int task, line;
    const char *file, *function, *text;
    uint64_t value;
    enum event_kind kind;
};

struct run {
    const struct model *model;
    const struct fault *fault; /* NULL: none */
    uint64_t fault_met;        /* how often */
    struct cordi_ctx main;
    struct task tasks[MODEL_TASKS];
    int count;         /* of tasks */
    struct task *self; /* that makes a step; NULL: setup and check */
    char failure[200]; /* of this schedule; "": none */
    struct event events[STEPS + 1];
    int made; /* steps of this schedule */
    struct {
        void *at;
        size_t size;
    } gone[GONE];
    int gone_count;
    uint64_t schedules, points, ends; /* ends: schedules that all tasks came to the end of */
};
extern struct run run;

/* All schedules: false when one of them fails; then `run` is as that one left it. */
bool explore(const struct model *model, const struct fault *fault);

/* For explore.c: the oldest store of a task's buffer becomes visible. */
void step_flush(struct task *task);

/* For step.c: back to the search until it chooses this task again. */
void explore_pause(const char *next);

#endif
