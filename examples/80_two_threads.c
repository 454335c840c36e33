/* Computes the same by one thread and by two, and prints how many times faster two are.
 * Note S4 (row 80). Python: the GIL lets one thread run at a time, so two take as long as one; here each has a CPU.
 * Run: ./80_two_threads [NUMBER [KIND]]      default 3000000 thread: primes below that; coroutine shows Python's way */
#include <stdlib.h>

#include <cordage.h>

enum { MOST = 2 };

struct part {
    int from, step, below;
};

static int count_primes(void *arg)
{
    const struct part *part = arg;
    int count = 0;
    for (int n = part->from; n < part->below; n += part->step) {
        int divisor = 3;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor += 2;
        count += divisor * divisor > n;
    }
    return count;
}

/* The odd numbers from 3 on, dealt out like cards; the seconds it took. */
static int timed(int threads, int below, cord_kind kind, double *seconds)
{
    cord_task *tasks[MOST];
    cord_outcome end;
    int rc = 0, primes = 1; /* 2 */
    int64_t begun = cord_now();
    for (int i = 0; i < threads && rc == 0; i++) {
        struct part part = { 3 + 2 * i, 2 * threads, below };
        rc = cord_task_start(&tasks[i], count_primes, &part, sizeof part, &(cord_task_options){ .kind = kind });
    }
    for (int i = 0; i < threads && rc == 0; i++) {
        rc = cord_task_join(tasks[i], CORD_FOREVER, &end);
        primes += end.value;
        cord_task_free(tasks[i]);
    }
    *seconds = (double)(cord_now() - begun) / CORD_SECOND;
    cord_print("%d at a time: %d primes below %d in %.2f s\n", threads, primes, below, *seconds);
    return rc;
}

int main(int argc, char **argv)
{
    int below = argc > 1 ? atoi(argv[1]) : 3000000;
    cord_kind kind = CORD_THREAD;
    double one, two;
    int rc = argc > 2 ? cord_kind_parse(&kind, argv[2]) : 0;
    if (rc == 0)
        rc = timed(1, below, kind, &one);
    if (rc == 0)
        rc = timed(2, below, kind, &two);
    if (rc == 0)
        cord_print("factor %.2f\n", one / two);
    return cord_report("80_two_threads", rc);
}
