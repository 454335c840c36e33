/* tests/loops.h - for the tests of several loops. What shows that two loops run at once is a barrier of threads: who
 * waits there blocks its whole loop. */
#ifndef TESTS_LOOPS_H
#define TESTS_LOOPS_H

#include "serving.h"

#include <unistd.h>

enum { LOOPS = 2, MANY = 200 };

static const cord_task_options anywhere = { .loop = CORD_LOOP_ANY };

/* The same body on both backends. */
#define LOOPS_TEST(name)                                                                                               \
    static void name(void);                                                                                            \
    VARIANT(name, epoll, CORD_COROUTINE, "epoll")                                                                      \
    VARIANT(name, uring, CORD_COROUTINE, "uring")                                                                      \
    static void name(void)
#define LOOPS_OF(name) PLAIN(name##_epoll), PLAIN(name##_uring)

static inline int run_on(unsigned loops, cord_fn *fn, void *arg)
{
    return cord_run(fn, arg, &(cord_run_options){ .loops = loops });
}

static inline cord_task *begin(cord_fn *fn, void *arg)
{
    cord_task *task = NULL;
    ok(cord_task_start(&task, fn, arg, 0, &anywhere));
    return task;
}

/* Which thread drives the caller's loop. */
static __attribute__((noinline, unused)) int thread_id(void)
{
    return gettid();
}

#endif
