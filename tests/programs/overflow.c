/* Overflows a stack, or dies in a way that is none: `overflow CASE`, for tests/overflow.c. It prints the range of
 * addresses that its task was started from, as numbers in the file: "place 0x1234 0x1334". */
#include <cordage.h>

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rt/task.h"

static volatile int bottom = 1 << 30;
static char *volatile nowhere;

/* Each frame is smaller than a guard. The use of `frame` behind the call keeps it a call. */
static __attribute__((noinline)) int deep(int depth, char *above)
{
    volatile char frame[512];
    memset((char *)frame, depth & 127, sizeof frame);
    int rc = depth < bottom ? deep(depth + 1, (char *)frame) : above[0];
    return rc + frame[depth % 512];
}

static int overflow(void *arg)
{
    (void)arg;
    return deep(0, (char *)&arg);
}

/* As where a call that holds the task's own spin bit is the one that overflows. */
static int overflow_holding(void *arg)
{
    atomic_fetch_or(&cord_task_self()->end, CORDI_END_SPIN);
    return overflow(arg);
}

static int touch_null(void *arg)
{
    (void)arg;
    *nowhere = 1;
    return 0;
}

static int kill_self(void *arg)
{
    (void)arg;
    return kill(getpid(), SIGSEGV);
}

static int serial_inside(void *arg)
{
    cord_task_options options = { .kind = CORD_SERIAL, .name = "inner" };
    cord_task *task;
    return cord_task_start(&task, overflow, arg, 0, &options);
}

struct how {
    cord_fn *fn;
    cord_task_options options;
};

static __attribute__((noinline)) int start_and_join(void *arg)
{
    const struct how *how = arg;
    cord_outcome out;
    cord_task *task;
    int rc = cord_task_start(&task, how->fn, NULL, 0, &how->options);
    if (rc < 0)
        return rc;
    rc = cord_task_join(task, CORD_FOREVER, &out);
    printf("ended %d %d\n", (int)out.how, out.value);
    return rc;
}

static void print_place(void)
{
    Dl_info info;
    char *from = (char *)(uintptr_t)start_and_join;
    if (dladdr(from, &info) != 0)
        printf("place %#zx %#zx\n", (size_t)(from - (char *)info.dli_fbase),
               (size_t)(from - (char *)info.dli_fbase) + 256);
    fflush(stdout);
}

static void own_handler(int signo)
{
    static const char text[] = "own handler\n";
    (void)!write(2, text, sizeof text - 1);
    _exit(signo == SIGSEGV ? 3 : 4);
}

static void own_stack(void)
{
    stack_t stack = { .ss_size = 65536 };
    stack.ss_sp = malloc(stack.ss_size);
    sigaltstack(&stack, NULL);
}

static void *foreign(void *arg)
{
    cord_sleep(CORD_MILLISECOND);
    return (void *)(intptr_t)overflow(arg);
}

static int run_foreign(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, foreign, NULL);
    return pthread_join(thread, NULL);
}

/* Has guards made by mprotect until there are no more of them; the next coroutine reaches into the one below. */
static int park(void *arg)
{
    return cord_event_wait(*(cord_event **)arg, CORD_FOREVER);
}

static int reach_below(void *arg)
{
    char here;
    (void)arg;
    char *volatile place = &here; /* so that a compiler knows no bounds */
    volatile char *at = place;
    for (int i = 0; i < 65536; i += 32)
        at[-i] = 1;
    return 0;
}

static int unguarded(void *arg)
{
    cord_event event = CORD_EVENT_INIT, *wait = &event;
    cord_task_options options = { .name = "deep" };
    (void)arg;
    if (mlockall(MCL_FUTURE | MCL_ONFAULT) < 0)
        exit(77);
    for (int i = 0; i < 20000; i++)
        if (cord_task_start(NULL, park, &wait, sizeof wait, NULL) < 0)
            exit(77);
    cord_yield();
    cord_task *task;
    if (cord_task_start(&task, reach_below, NULL, 0, &options) < 0)
        exit(77);
    (void)!cord_task_join(task, CORD_FOREVER, NULL);
    exit(0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        struct how how;
        bool plain; /* without cord_run() */
    } cases[] = {
        { "coroutine", { overflow, { .name = "deep" } }, false },
        { "large", { overflow, { .name = "deep", .stack_size = 262144 } }, false },
        { "background", { overflow, { .name = "deep" } }, true },
        { "unnamed", { overflow_holding, { 0 } }, false },
        { "thread", { overflow, { .kind = CORD_THREAD, .name = "deep", .stack_size = 262144 } }, false },
        { "process", { overflow, { .kind = CORD_PROCESS, .name = "deep" } }, false },
        { "plain-process", { overflow, { .kind = CORD_PROCESS, .name = "deep" } }, true },
        { "serial", { serial_inside, { .name = "outer" } }, false },
        { "null", { touch_null, { .name = "deep" } }, false },
        { "null-thread", { touch_null, { .kind = CORD_THREAD, .name = "deep" } }, false },
        { "kill", { kill_self, { .name = "deep" } }, false },
    };
    const char *name = argc > 1 ? argv[1] : "";
    print_place();
    if (strcmp(name, "main") == 0)
        return cord_run(overflow, NULL, &(cord_run_options){ .stack_size = 131072 });
    if (strcmp(name, "foreign") == 0)
        return run_foreign();
    if (strcmp(name, "unguarded") == 0)
        return cord_run(unguarded, NULL, NULL);
    if (strcmp(name, "own-stack") == 0 || strcmp(name, "own-handler") == 0)
        own_stack();
    if (strcmp(name, "own-handler") == 0) {
        struct sigaction own = { .sa_handler = own_handler, .sa_flags = SA_ONSTACK };
        sigaction(SIGSEGV, &own, NULL);
    }
    if (strncmp(name, "own-", 4) == 0)
        name = "coroutine";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, name) == 0) {
            struct how how = cases[i].how;
            return cases[i].plain ? start_and_join(&how) : cord_run(start_and_join, &how, NULL);
        }
    return 2;
}
