/* One child process. The parent prints a second later and, at its end, waits for children that still run.
 * Note S3 lines 157-168 (row 19). Python: Process(target=f, args=('bob',)), start.
 * Run: ./19_process_basic [KIND]      default process
 * The arguments are copied for the child. No main guard is needed: the child runs f and nothing else. */
#include <cordage.h>

static int f(void *name)
{
    cord_print("hello %s\n", (char *)name);
    cord_print("我是子进程\n");
    return 0;
}

static int program(void *kind)
{
    cord_task *p;
    int rc = cord_task_start(&p, f, "bob", sizeof "bob", &(cord_task_options){ .kind = *(cord_kind *)kind });
    if (rc < 0)
        return rc;
    cord_sleep(CORD_SECOND);
    cord_print("执行主进程的内容了\n");
    cord_task_free(p); /* drops the handle; cord_run() waits for the child, as Python does at exit */
    return 0;
}

int main(int argc, char **argv)
{
    cord_kind kind = CORD_PROCESS;
    int rc = argc > 1 ? cord_kind_parse(&kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_run(program, &kind, NULL);
    return cord_report("19_process_basic", rc);
}
