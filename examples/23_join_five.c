/* Five child processes, joined: the parent's line comes strictly last.
 * Note S3 lines 255-268 (row 23). Python: [p.join() for p in p_lst].
 * Run: ./23_join_five [KIND]      default process */
#include <cordage.h>

static int f(void *name)
{
    cord_print("hello %s\n", (char *)name);
    return 0;
}

int main(int argc, char **argv)
{
    cord_task_options how = { .kind = CORD_PROCESS };
    cord_task *p[5] = { NULL };
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    for (int i = 0; i < 5 && rc == 0; i++)
        rc = cord_task_start(&p[i], f, "bob", sizeof "bob", &how);
    for (int i = 0; i < 5; i++) {
        if (rc == 0)
            rc = cord_task_join(p[i], CORD_FOREVER, NULL);
        cord_task_free(p[i]);
    }
    if (rc == 0)
        cord_print("父进程在执行\n");
    return cord_report("23_join_five", rc);
}
