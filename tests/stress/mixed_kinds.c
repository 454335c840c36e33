/* tests/stress/mixed_kinds.c - tasks of two kinds share sockets, and everything goes wrong at random.
 *
 * A table of connected pairs; workers (coroutines of one loop and threads, at once, on the same sockets) send, receive
 * with deadlines that pass, close pairs under each other's hands and put new ones in their place; a gardener cancels
 * workers and starts new ones. Every answer must be one that the header names, nobody may hang, and at the end the
 * harness finds all descriptors back. The seed is printed; CORD_STRESS_SEED repeats a run, CORD_STRESS_SECONDS makes
 * it longer.
 */
#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAIRS = 8, WORKERS = 24 };

static struct {
    cord_lock lock; /* over pairs */
    cord_socket pairs[PAIRS][2];
    atomic_uint random;
    atomic_ulong calls, bytes, closes, cancels;
    int64_t end;
} world;

static unsigned roll(unsigned sides)
{
    unsigned x = atomic_fetch_add(&world.random, 0x9e3779b9u);
    x ^= x >> 16, x *= 0x7feb352du, x ^= x >> 15, x *= 0x846ca68bu, x ^= x >> 16;
    return x % sides;
}

static void lock(void)
{
    is(cord_lock_acquire(&world.lock, CORD_FOREVER), 0);
}

static cord_socket any_socket(void)
{
    lock();
    cord_socket socket = world.pairs[roll(PAIRS)][roll(2)];
    cord_lock_release(&world.lock);
    return socket;
}

/* Closes a pair, under whoever waits on it, and puts a new one there. */
static void replace_pair(void)
{
    cord_socket fresh[2], old[2];
    unsigned at = roll(PAIRS);
    ok(cord_socket_pair(fresh, roll(4) == 0 ? CORD_UNIXGRAM : CORD_UNIX));
    lock();
    for (int i = 0; i < 2; i++) {
        old[i] = world.pairs[at][i];
        world.pairs[at][i] = fresh[i];
    }
    cord_lock_release(&world.lock);
    cord_close(&old[0]);
    cord_close(&old[1]);
    atomic_fetch_add(&world.closes, 1);
}

static cord_deadline some_time(void)
{
    switch (roll(4)) {
    case 0:
        return CORD_NOWAIT;
    case 1:
        return cord_in(0);
    case 2:
        return cord_in((cord_span)roll(200) * CORD_MICROSECOND);
    default:
        return cord_in((cord_span)roll(5) * CORD_MILLISECOND);
    }
}

static bool expected(ssize_t rc)
{
    return rc >= 0 || rc == -ETIMEDOUT || rc == -EAGAIN || rc == -ECANCELED || rc == -EBADF || rc == -EPIPE ||
           rc == -ECONNRESET || rc == -ENOTCONN || rc == -ECONNREFUSED || rc == -EMSGSIZE || rc == -ENOBUFS;
}

static int work(void *arg)
{
    char buf[3000] = { 0 };
    (void)arg;
    while (cord_now() < world.end) {
        cord_socket socket = any_socket();
        ssize_t rc;
        switch (roll(16)) {
        case 0:
            replace_pair();
            rc = 0;
            break;
        case 1:
            rc = cord_shutdown(socket, (int)roll(3));
            break;
        case 2:
            rc = cord_yield();
            break;
        case 3:
        case 4:
        case 5:
        case 6:
            rc = cord_send_all(socket, buf, roll(sizeof buf), some_time());
            break;
        case 7:
        case 8:
        case 9:
            rc = cord_send(socket, buf, roll(sizeof buf), some_time());
            break;
        default:
            rc = cord_recv(socket, buf, roll(sizeof buf), some_time());
            break;
        }
        ck_assert_msg(expected(rc), "unexpected answer %ld: %s", (long)rc, cord_error_detail());
        atomic_fetch_add(&world.calls, 1);
        if (rc == -ECANCELED)
            return -ECANCELED;
        if (rc > 0)
            atomic_fetch_add(&world.bytes, (unsigned long)rc);
    }
    return 0;
}

static cord_task *new_worker(int number)
{
    cord_task_options options = { .kind = number % 2 ? CORD_THREAD : CORD_COROUTINE };
    cord_task *task;
    ok(cord_task_start(&task, work, NULL, 0, &options));
    return task;
}

static int garden(void *arg)
{
    cord_task *workers[WORKERS];
    (void)arg;
    for (int i = 0; i < PAIRS; i++)
        ok(cord_socket_pair(world.pairs[i], CORD_UNIX));
    for (int i = 0; i < WORKERS; i++)
        workers[i] = new_worker(i);
    while (cord_now() < world.end) {
        unsigned i = roll(WORKERS);
        ok(cord_sleep(CORD_MILLISECOND));
        cord_task_cancel(workers[i]);
        ok(cord_task_join(workers[i], soon(), NULL));
        cord_task_free(workers[i]);
        workers[i] = new_worker((int)i);
        atomic_fetch_add(&world.cancels, 1);
    }
    for (int i = 0; i < WORKERS; i++) {
        cord_outcome out;
        ok(cord_task_join(workers[i], soon(), &out));
        ck_assert_msg(out.how == CORD_RETURNED, "a worker: %s", out.error);
        cord_task_free(workers[i]);
    }
    for (int i = 0; i < PAIRS; i++) {
        cord_close(&world.pairs[i][0]);
        cord_close(&world.pairs[i][1]);
    }
    return 0;
}

static void stress(const char *backend)
{
    use_backend(backend);
    const char *seed = getenv("CORD_STRESS_SEED"), *seconds = getenv("CORD_STRESS_SECONDS");
    unsigned start = seed ? (unsigned)strtoul(seed, NULL, 0) : (unsigned)cord_now();
    atomic_store(&world.random, start);
    world.end = cord_now() + (seconds ? atoi(seconds) * CORD_SECOND : 1500 * CORD_MILLISECOND);
    printf("# %s: CORD_STRESS_SEED=%u\n", backend, start);
    fflush(stdout);
    is(cord_run(garden, NULL, NULL), 0);
    printf("# %lu calls, %lu bytes, %lu closes, %lu cancels\n", world.calls, world.bytes, world.closes, world.cancels);
    ck_assert_uint_gt(world.calls, 0);
    ck_assert_uint_gt(world.bytes, 0);
}

PLAIN_TEST(coroutines_on_epoll_and_threads_share_sockets)
{
    stress("epoll");
}

PLAIN_TEST(coroutines_on_uring_and_threads_share_sockets)
{
    stress("uring");
}

int main(void)
{
    return run_tests("stress_mixed_kinds", SLOW(PLAIN(coroutines_on_epoll_and_threads_share_sockets), 300),
                     SLOW(PLAIN(coroutines_on_uring_and_threads_share_sockets), 300), END);
}
