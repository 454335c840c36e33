/* Two workers add one, a million times each, to the same number; with the lock, and to see why, without it.
 * Note S2 lines 276-325 (row 18). Python: threading.Lock, acquire(True), acquire(True, 3), acquire(False), release.
 * Run: ./18_lock_counter [locked|unlocked [KIND]]      default locked thread
 * Unlocked, each worker now and then sleeps between its look at the number and its write, so that what the other has
 * added meanwhile is lost: the total is below 2000000. It is a data race, which ThreadSanitizer reports. */
#include <stdbool.h>
#include <string.h>

#include <cordage.h>

static volatile long number; /* volatile, so that the compiler leaves each addition its own look and write */
static cord_lock lock = CORD_LOCK_INIT;

static int worker1(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000000; i++) {
        /* CORD_FOREVER: acquire(True). CORD_NOWAIT: acquire(False). cord_in(3 * CORD_SECOND): acquire(True, 3). */
        if (cord_lock_acquire(&lock, CORD_FOREVER) >= 0) {
            number = number + 1;
            cord_lock_release(&lock);
        } else {
            cord_print("没有成功获取到锁\n");
            cord_sleep(CORD_SECOND);
        }
    }
    return 0;
}

static int worker2(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000000; i++) {
        if (cord_lock_acquire(&lock, CORD_FOREVER) < 0)
            return -1;
        number = number + 1;
        cord_lock_release(&lock);
    }
    return 0;
}

static int careless(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000000; i++) {
        long seen = number;
        if (i % 100000 == 0)
            cord_sleep(10 * CORD_MILLISECOND);
        number = seen + 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    bool locked = argc < 2 || strcmp(argv[1], "unlocked") != 0;
    cord_task_options how = { .kind = CORD_THREAD };
    cord_task *w1 = NULL, *w2 = NULL;
    int rc = argc > 2 ? cord_kind_parse(&how.kind, argv[2]) : 0;
    if (rc == 0)
        rc = cord_task_start(&w1, locked ? worker1 : careless, NULL, 0, &how);
    if (rc == 0)
        rc = cord_task_start(&w2, locked ? worker2 : careless, NULL, 0, &how);
    if (rc == 0)
        rc = cord_task_join(w1, CORD_FOREVER, NULL);
    if (rc == 0)
        rc = cord_task_join(w2, CORD_FOREVER, NULL);
    if (rc == 0)
        cord_print("运算结果是%ld\n", number);
    cord_task_free(w1);
    cord_task_free(w2);
    return cord_report("18_lock_counter", rc);
}
