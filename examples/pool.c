/* pool.c - the same jobs on a pool of any kind: Collatz steps of the first numbers.
 *
 * Python: concurrent.futures.ThreadPoolExecutor(...).map(collatz, numbers), ProcessPoolExecutor.
 * Run: ./pool [KIND]        coroutine, thread, process (the default) or serial
 */
#include <cordage.h>

#include <stdio.h>

enum { N = 100000 };

static int collatz(const void *in, void *out) /* a pool's job: bytes in, bytes out, 0 or -errno */
{
    unsigned long n = *(const unsigned long *)in;
    unsigned *steps = out;
    for (*steps = 0; n != 1; ++*steps)
        n = n % 2 ? 3 * n + 1 : n / 2;
    return 0;
}

int main(int argc, char **argv)
{
    static unsigned long in[N];
    static unsigned steps[N];
    cord_pool_options how = { .kind = CORD_PROCESS }; /* one worker a CPU unless .workers says */
    cord_pool *pool = NULL;
    size_t longest = 0;
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    for (size_t i = 0; i < N; i++)
        in[i] = i + 1;
    if (rc == 0)
        rc = cord_pool_new(&pool, &how);
    if (rc == 0)
        rc = cord_pool_map(pool, CORD_BATCH(collatz, in, steps, N), cord_in(10 * CORD_SECOND));
    cord_pool_free(pool); /* cancels what runs and waits; cord_pool_shutdown(pool, deadline) drains */
    for (size_t i = 0; i < N && rc == 0; i++)
        if (steps[i] > steps[longest])
            longest = i;
    if (rc == 0)
        cord_print("the longest way to 1 of the first %d numbers: %lu in %u steps\n", N, in[longest], steps[longest]);
    return cord_report("pool", rc);
}
