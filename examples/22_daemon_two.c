/* A daemon process of 3 seconds beside an ordinary one of 5: the daemon ends with the main program's code, after 1
 * second; the other is waited for.
 * Note S3 lines 226-246 (row 22). Python: p.daemon = True before p.start(); time.sleep; os.getpid().
 * Run: ./22_daemon_two
 * "in func after" is never printed. What the daemon printed before is not lost, as it can be in Python. */
#include <cordage.h>

static int pid(void)
{
    return cord_task_pid(cord_task_self());
}

static int func2(void *arg)
{
    (void)arg;
    cord_print("func2 before %d\n", pid());
    int rc = cord_sleep(5 * CORD_SECOND);
    if (rc == 0)
        cord_print("func2 after %d\n", pid());
    return rc;
}

static int func(void *arg)
{
    (void)arg;
    cord_print("in func before %d\n", pid());
    int rc = cord_sleep(3 * CORD_SECOND); /* -ECANCELED: the main program has ended */
    if (rc == 0)
        cord_print("in func after %d\n", pid());
    return rc;
}

static int program(void *arg)
{
    (void)arg;
    cord_task *p;
    int rc = cord_task_start(&p, func, NULL, 0, &(cord_task_options){ .kind = CORD_PROCESS, .daemon = true });
    if (rc < 0)
        return rc;
    cord_task_free(p); /* the handle only; p is used again, as in the note */
    rc = cord_task_start(&p, func2, NULL, 0, &(cord_task_options){ .kind = CORD_PROCESS });
    if (rc < 0)
        return rc;
    cord_task_free(p);
    cord_sleep(CORD_SECOND);
    cord_print("主进程 %d\n", pid());
    return 0; /* cord_run() ends the daemon now and waits for the other one */
}

int main(void)
{
    return cord_report("22_daemon_two", cord_run(program, NULL, NULL));
}
