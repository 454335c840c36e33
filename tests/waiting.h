/* tests/waiting.h - what the tests of sync look at inside: whether a task waits. A shared object is slept on by a
 * helper thread, or for a lock by the thread itself; there `waits` is true as soon as somebody sleeps on the word. */
#ifndef TESTS_WAITING_H
#define TESTS_WAITING_H

#include "support.h"

#include "rt/task.h"

static inline bool waits(void *task)
{
    int state = (int)(atomic_load(&((cord_task *)task)->wait) & ((1 << CORDI_WAIT_BITS) - 1));
    return state == CORDI_WAITING || state == CORDI_WAITING_FIRM;
}

/* So many tasks of the mode's kind wait at once in tests of many waiters. */
enum { CROWD = 1000 };
static inline int crowd(void)
{
    int threads = under_valgrind() ? 30 : 300;
    return mode.kind == CORD_PROCESS ? 30 : mode.kind == CORD_THREAD ? threads : under_valgrind() ? 200 : CROWD;
}

/* Zeroed memory that tasks of every kind see. */
static inline void *board_new(size_t size)
{
    void *board = NULL;
    ok(cord_shared_new(&board, size));
    return board;
}

/* CORD_SHARED where the mode needs it, or the test asks for it. */
static int sharing;
static inline int flags(void)
{
    return mode.kind == CORD_PROCESS ? CORD_SHARED : sharing;
}

/* The same body once more with shared objects. */
#define ALSO_SHARED(name)                                                                                              \
    MODE_TEST(name##_shared)                                                                                           \
    {                                                                                                                  \
        sharing = CORD_SHARED;                                                                                         \
        name();                                                                                                        \
    }
#define BOTH(name) MODE(name), MODE(name##_shared)

/* Mostly the mode's kind, and where it can wait for the same objects now and then another one. */
static inline cord_kind any_kind(int number)
{
    if (mode.kind == CORD_PROCESS || number % 3 != 0)
        return mode.kind;
    return number % 2 ? CORD_THREAD : CORD_COROUTINE;
}

/* One of each kind that can wait on an object with these flags. */
static inline cord_task *start_kind(cord_kind kind, cord_fn *fn, const void *arg, size_t size)
{
    cord_task *task = NULL;
    ok(cord_task_start(&task, fn, arg, size, &(cord_task_options){ .kind = kind }));
    return task;
}

#endif
