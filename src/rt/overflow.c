/* rt/overflow.c - whose guard was touched, and the report; see overflow.h. All of it may run in a signal handler. */
#include "rt/overflow.h"

#include <stdbool.h>
#include <stdlib.h>

#include "rt/task.h"
#include "sys/fault.h"
#include "sys/fd.h"

enum {
    RED_ZONE = 256,       /* below the stack pointer, where a function may still write */
    KERNEL_GAP = 1 << 20, /* below the main thread's stack */
    LOWEST = 64           /* bytes at the low end that stay zeros */
};

static void report(const struct cord_task *task, size_t size)
{
    struct cordi_line line = { .length = 0 };
    cordi_line_add(&line, "cordage: task \"");
    if (task->number == 0)
        cordi_line_add(&line, task->name);
    else { /* as cord_task_name() makes it, which takes a spin bit: the task may hold that */
        cordi_line_add(&line, cord_kind_name(task->kind));
        cordi_line_add(&line, "-");
        cordi_line_number(&line, task->number, 10);
    }
    cordi_line_add(&line, "\" (");
    cordi_line_add(&line, cord_kind_name(task->kind));
    cordi_line_add(&line, ") overflowed its stack of ");
    cordi_line_number(&line, size, 10);
    cordi_line_add(&line, " bytes; started at ");
    cordi_fault_place(&line, task->started_at);
    cordi_line_add(&line, task->kind == CORD_PROCESS ? "; give it more with ulimit -s\n"
                                                     : "; give it more with .stack_size\n");
    (void)!cordi_fd_write(2, line.text, line.length);
}

static void explain(const char *address, const char *sp)
{
    const struct cord_task *task = cordi_thread()->current;
    const char *low, *high;
    if (task == NULL || task->adopted)
        return;
    if (task->kind == CORD_COROUTINE) {
        if (address < task->stack.low && address >= task->stack.low - CORDI_STACK_GUARD)
            report(task, task->stack.usable);
        return;
    }
    if (!cordi_fault_mapping(&low, &high, task->stack.top) || address < sp - RED_ZONE)
        return;
    /* A C library may put its guard into the same mapping. */
    if (address >= low - KERNEL_GAP && address < low + CORDI_STACK_GUARD)
        report(task, task->stack.usable > 0 ? task->stack.usable : (size_t)(high - low));
}

void cordi_overflow_start(void)
{
    cordi_fault_install(explain);
}

void cordi_overflow_thread(struct cord_task *task)
{
    task->stack.top = __builtin_frame_address(0);
}

void cordi_overflow_check(const struct cord_task *task)
{
    for (int i = 0; i < LOWEST; i++)
        if (task->stack.low[i] != 0) {
            report(task, task->stack.usable);
            abort();
        }
}
