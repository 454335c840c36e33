/* Three processes made from objects with a name and a run function; the parent joins them.
 * Note S3 lines 197-222 (row 21). Python: class MyProcess(Process), self.name, run, start, join, os.getpid().
 * Run: ./21_process_class [direct]
 * "direct" is the note's p2.run() line: the second one runs here and now, so that it prints the parent's pid. That is
 * the kind CORD_SERIAL. */
#include <string.h>

#include <cordage.h>

static int run(void *name)
{
    cord_print("%d\n", cord_task_pid(cord_task_self()));
    cord_print("%s 正在和女主播聊天\n", (char *)name);
    return 0;
}

static int start(cord_task **ret, const char *name, cord_kind kind)
{
    return cord_task_start(ret, run, name, strlen(name) + 1, &(cord_task_options){ .kind = kind, .name = name });
}

int main(int argc, char **argv)
{
    cord_kind second = argc > 1 && strcmp(argv[1], "direct") == 0 ? CORD_SERIAL : CORD_PROCESS;
    cord_task *p[3] = { NULL };
    int rc = start(&p[0], "wupeiqi", CORD_PROCESS);
    if (rc == 0)
        rc = start(&p[1], "yuanhao", second);
    if (rc == 0)
        rc = start(&p[2], "nezha", CORD_PROCESS);
    for (int i = 0; i < 3; i++) {
        if (rc == 0)
            rc = cord_task_join(p[i], CORD_FOREVER, NULL);
        cord_task_free(p[i]);
    }
    if (rc == 0)
        cord_print("主线程\n");
    return cord_report("21_process_class", rc);
}
