/* Two tasks that take turns: a consumer that runs when it is called for, and answers each value it is given.
 * Note S4 (row 114), "yield". Python: answer = generator.send(value); value = yield answer.
 * Run: ./114_generator
 * A queue with room for one carries the values there, another one the answers back. What the consumer has on its stack
 * stays there meanwhile, as a generator's does; other than that one, it may also be a thread (.kind), and call
 * functions that yield for it. */
#include <cordage.h>

static cord_queue *values, *answers;

static int consumer(void *arg)
{
    int n, rc;
    (void)arg;
    while ((rc = cord_queue_get(values, &n, CORD_FOREVER)) == 0) {
        cord_print("consuming %d\n", n);
        n = 200;
        if ((rc = cord_queue_put(answers, &n, CORD_FOREVER)) < 0)
            break;
    }
    return rc;
}

static int produce(void *arg)
{
    cord_task *c = NULL;
    int answer, rc = cord_task_start(&c, consumer, arg, 0, NULL);
    for (int n = 1; n <= 5 && rc == 0; n++) {
        cord_print("producing %d\n", n);
        rc = cord_queue_put(values, &n, CORD_FOREVER);
        if (rc == 0)
            rc = cord_queue_get(answers, &answer, CORD_FOREVER);
        if (rc == 0)
            cord_print("answered %d\n", answer);
    }
    if (c != NULL)
        cord_task_cancel(c); /* close() */
    cord_task_free(c);
    return rc;
}

int main(void)
{
    int rc = cord_queue_new(&values, sizeof(int), 1, 0);
    if (rc == 0)
        rc = cord_queue_new(&answers, sizeof(int), 1, 0);
    if (rc == 0)
        rc = cord_run(produce, NULL, NULL);
    cord_queue_free(values);
    cord_queue_free(answers);
    return cord_report("114_generator", rc);
}
