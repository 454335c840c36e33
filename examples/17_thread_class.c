/* A thread made from an object with a run function; it and the main program each print a line every second.
 * Note S2 lines 240-261 (row 17). Python: class MyThread(threading.Thread), run, start.
 * Run: ./17_thread_class [KIND]      default thread; Ctrl-C ends it
 * The rule at the end: cord_run() waits for every task that is no daemon, and Ctrl-C cancels all that were started
 * under it. (Python's thread prints on until a second Ctrl-C.) */
#include <cordage.h>

struct my_thread { /* what the class's self holds */
    cord_task *task;
    const char *words;
};

static int run(void *arg)
{
    const char *words = *(const char **)arg;
    do
        cord_print("%s\n", words);
    while (cord_sleep(CORD_SECOND) == 0); /* -ECANCELED once it is cancelled */
    return 0;
}

static int start(struct my_thread *self, cord_kind kind)
{
    return cord_task_start(&self->task, run, &self->words, sizeof self->words, &(cord_task_options){ .kind = kind });
}

static int program(void *arg)
{
    struct my_thread mt = { .words = "runnnnnn" };
    int rc = start(&mt, *(cord_kind *)arg);
    if (rc < 0)
        return rc;
    do
        cord_print("这是主线程\n");
    while ((rc = cord_sleep(CORD_SECOND)) == 0);
    cord_task_free(mt.task); /* it was cancelled too, and cord_run() waits for it */
    return rc;               /* -ECANCELED: Ctrl-C; exit code 130 */
}

int main(int argc, char **argv)
{
    cord_kind kind = CORD_THREAD;
    int rc = argc > 1 ? cord_kind_parse(&kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_run(program, &kind, &(cord_run_options){ .signals = CORD_SIGNALS_DEFAULT });
    return cord_report("17_thread_class", rc);
}
