/* Which threads there are: the list, how many, which one calls, and its number in the kernel.
 * Notes S2, S4 (rows 71-74). Python: threading.enumerate, active_count, current_thread, get_native_id.
 * Run: ./71_threads [KIND]      default thread
 * The lines of the three come in whatever order the system lets them run: that order is not to be relied on. */
#include <cordage.h>

enum { THREADS = 3, MOST = 32 };

static int work(void *arg)
{
    cord_task *self = cord_task_self(); /* current_thread() */
    (void)arg;
    cord_print("I am %s, number %d\n", cord_task_name(self), cord_task_thread_id(self));
    return cord_sleep(CORD_HOUR);
}

static bool all_sleep(const cord_task_info *list, int count)
{
    int sleepers = 0;
    for (int i = 0; i < count && i < MOST; i++)
        sleepers += list[i].waits && list[i].name[0] == 'w';
    return sleepers == THREADS;
}

static int program(void *arg)
{
    static cord_task_info list[MOST];
    const char *names[THREADS] = { "worker 1", "worker 2", "worker 3" };
    cord_task *tasks[THREADS];
    int rc = 0, count;
    for (int i = 0; i < THREADS && rc == 0; i++)
        rc = cord_task_start(&tasks[i], work, NULL, 0,
                             &(cord_task_options){ .kind = *(cord_kind *)arg, .name = names[i] });
    if (rc < 0)
        return rc;
    while (!all_sleep(list, count = cord_task_list(list, MOST)))
        cord_sleep(CORD_MILLISECOND);
    cord_print("%d tasks are alive:\n", count); /* active_count(): here the loop's thread and this coroutine as well */
    for (int i = 0; i < count && i < MOST; i++) /* enumerate() */
        cord_print("  %s (%s, number %d) %s%s\n", list[i].name, cord_kind_name(list[i].kind), list[i].thread_id,
                   list[i].waits ? "waits for " : "runs", list[i].what);
    for (int i = 0; i < THREADS; i++) {
        cord_task_cancel(tasks[i]);
        rc = cord_task_join(tasks[i], CORD_FOREVER, NULL);
        cord_task_free(tasks[i]);
    }
    cord_print("%d are left\n", cord_task_list(list, MOST));
    return rc;
}

int main(int argc, char **argv)
{
    cord_kind kind = CORD_THREAD;
    int rc = argc > 1 ? cord_kind_parse(&kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_run(program, &kind, NULL);
    return cord_report("71_threads", rc);
}
