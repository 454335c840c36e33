/* Five daemon processes that nobody joins: the parent prints and ends, and they end with it, two seconds early.
 * Note S3 lines 289-304 (row 25). Python: p.daemon = True; p.start().
 * Run: ./25_daemon_five
 * How many of them come to say hello before that is left open. */
#include <cordage.h>

static int f(void *name)
{
    cord_print("hello %s\n", (char *)name);
    return cord_sleep(2 * CORD_SECOND);
}

static int program(void *arg)
{
    (void)arg;
    cord_task_options how = { .kind = CORD_PROCESS, .daemon = true };
    for (int i = 0; i < 5; i++) {
        cord_task *p;
        int rc = cord_task_start(&p, f, "bob", sizeof "bob", &how);
        if (rc < 0)
            return rc;
        cord_task_free(p);
    }
    cord_print("父进程在执行\n");
    return 0;
}

int main(void)
{
    return cord_report("25_daemon_five", cord_run(program, NULL, NULL));
}
