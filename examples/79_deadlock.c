/* A deadlock: two tasks, two locks, taken in opposite order. How it is seen, and two ways to do without it.
 * Note S2 (row 79): how it arises, how to solve it. Python: threading.Lock, acquire(True, 3).
 * Run: ./79_deadlock [SPAN]      how long the third pair waits, default 3s
 * Where no task can ever go on, cord_run() says so and ends. With CORD_DEBUG=dump its report also says where each lock
 * was taken; and in a program that goes on, threads and all, Ctrl-\ prints that report. */
#include <errno.h>

#include <cordage.h>

struct pair {
    cord_lock first, second;
    bool same_order;
    cord_span patience; /* of alice, for her second lock; 0: for ever */
};

static int take_both(cord_lock *one, cord_lock *other, cord_deadline deadline)
{
    int rc = cord_lock_acquire(one, CORD_FOREVER);
    if (rc < 0)
        return rc;
    cord_sleep(10 * CORD_MILLISECOND); /* the other one takes its first lock meanwhile */
    rc = cord_lock_acquire(other, deadline);
    if (rc >= 0) {
        cord_print("%s has both\n", cord_task_name(cord_task_self()));
        cord_lock_release(other);
    }
    cord_lock_release(one); /* also when she gave up: that lets the other one go on */
    return rc;
}

static int alice(void *arg)
{
    struct pair *pair = arg;
    while (take_both(&pair->first, &pair->second, pair->patience > 0 ? cord_in(pair->patience) : CORD_FOREVER) ==
           -ETIMEDOUT) {
        cord_print("alice has given her lock back and tries again\n");
        cord_yield(); /* bob first */
    }
    return 0;
}

static int bob(void *arg)
{
    struct pair *pair = arg;
    if (pair->same_order)
        return take_both(&pair->first, &pair->second, CORD_FOREVER);
    return take_both(&pair->second, &pair->first, CORD_FOREVER);
}

static int both(void *arg)
{
    cord_task *task;
    int rc = cord_task_start(&task, alice, arg, 0, &(cord_task_options){ .name = "alice" });
    if (rc < 0)
        return rc;
    cord_task_free(task); /* cord_run() waits for both */
    rc = cord_task_start(&task, bob, arg, 0, &(cord_task_options){ .name = "bob" });
    if (rc == 0)
        cord_task_free(task);
    return rc;
}

int main(int argc, char **argv)
{
    static struct pair careless, ordered = { .same_order = true }, patient = { .patience = 3 * CORD_SECOND };
    int rc = argc > 1 ? cord_span_parse(&patient.patience, argv[1]) : 0;
    if (rc < 0)
        return cord_report("79_deadlock", rc);
    cord_print("opposite order:\n");
    if (cord_run(both, &careless, NULL) == -EDEADLK)
        cord_print("%s\n", cord_error_detail());
    cord_print("the same order:\n");
    rc = cord_run(both, &ordered, NULL);
    cord_print("opposite order, with a deadline:\n");
    if (rc == 0)
        rc = cord_run(both, &patient, NULL);
    return cord_report("79_deadlock", rc);
}
