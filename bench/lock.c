/* bench/lock.c - what a lock costs: `lock CASE [SECONDS [beside]]`.
 *
 *   local, shared         acquire and release while nobody else wants it
 *   threads-2, threads-4  so many tasks of kind thread want it all the time
 *   coroutines            a thousand coroutines of one loop do, see guarded.h
 */
#include "guarded.h"

#include <cordage.h>

static void check(int rc)
{
    if (rc < 0)
        exit(cord_report("lock", rc));
}

static void alone(cord_lock *lock, long count)
{
    struct guarded guarded = { .left = count };
    for (long i = 0; i < count; i++) {
        check(cord_lock_acquire(lock, CORD_FOREVER));
        guarded.done++;
        guarded.left--;
        check(cord_lock_release(lock));
    }
    guarded_check(&guarded, count);
}

static void local(long count)
{
    cord_lock lock = CORD_LOCK_INIT;
    alone(&lock, count);
}

static void shared(long count)
{
    cord_lock *lock;
    check(cord_lock_new(&lock, CORD_SHARED));
    alone(lock, count);
    cord_lock_free(lock);
}

struct contended {
    _Alignas(64) cord_lock lock;
    struct guarded guarded;
};

struct party {
    struct contended *of;
    int number; /* from 0 */
};

static int contend(void *arg)
{
    const struct party *party = arg;
    struct contended *of = party->of;
    bool thread = cord_task_kind(cord_task_self()) == CORD_THREAD, more = true;
    if (thread)
        micro_pin(party->number);
    else
        cord_yield();
    for (long mine = 0; more; mine++) {
        int rc = cord_lock_acquire(&of->lock, CORD_FOREVER);
        if (rc < 0)
            return rc;
        more = guarded_work(&of->guarded, mine);
        if (!thread && mine % GUARDED_YIELD == 0)
            cord_yield();
        rc = cord_lock_release(&of->lock);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void many(cord_kind kind, int parties, long count)
{
    struct contended of = { .lock = CORD_LOCK_INIT, .guarded.left = count };
    cord_group *group;
    check(cord_group_new(&group, &(cord_group_options){ .task.kind = kind }));
    for (int i = 0; i < parties; i++)
        check(cord_group_start(group, contend, &(struct party){ &of, i }, sizeof(struct party)));
    if (kind == CORD_COROUTINE) {
        cord_yield();
        micro_begin();
    }
    check(cord_group_join(group, CORD_FOREVER));
    guarded_check(&of.guarded, count);
}

static void threads_2(long count)
{
    many(CORD_THREAD, 2, count);
}

static void threads_4(long count)
{
    many(CORD_THREAD, 4, count);
}

static void coroutines(long count)
{
    many(CORD_COROUTINE, GUARDED_CROWD, count);
}

static int argument_count;

static int measure(void *arguments)
{
    static const struct micro_case cases[] = { { "local", local },           { "shared", shared },
                                               { "threads-2", threads_2 },   { "threads-4", threads_4 },
                                               { "coroutines", coroutines }, { NULL, NULL } };
    return micro_main(cases, argument_count, arguments);
}

int main(int argc, char **argv)
{
    argument_count = argc;
    return cord_report("lock", cord_run(measure, argv, NULL));
}
