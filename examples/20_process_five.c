/* Five child processes that nobody joins: the parent's line comes before or among theirs, and it ends after all.
 * Note S3 lines 178-192 (row 20). Python: Process(target=f, args=('bob',)).start() in a loop.
 * Run: ./20_process_five [KIND]      default process
 * Each line is one write, so that lines of different processes never tear, as Python's do on a terminal. */
#include <cordage.h>

static int f(void *name)
{
    cord_print("hello %s\n", (char *)name);
    cord_sleep(CORD_SECOND);
    return 0;
}

static int program(void *kind)
{
    cord_task_options how = { .kind = *(cord_kind *)kind };
    for (int i = 0; i < 5; i++) {
        cord_task *p;
        int rc = cord_task_start(&p, f, "bob", sizeof "bob", &how);
        if (rc < 0)
            return rc;
        cord_task_free(p);
    }
    cord_print("父进程在执行\n");
    return 0; /* cord_run() waits for the five */
}

int main(int argc, char **argv)
{
    cord_kind kind = CORD_PROCESS;
    int rc = argc > 1 ? cord_kind_parse(&kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_run(program, &kind, NULL);
    return cord_report("20_process_five", rc);
}
