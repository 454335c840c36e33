/* bench/pair.h - what the programs share that measure queues: one end puts, one gets, each on a CPU of its own.
 *
 * An item carries its number, and the getter expects them in order: one that was lost, came twice or came torn at its
 * beginning ends the measurement. pair_threads() and pair_processes() are for those without cordage. */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include "micro.h"

#include <errno.h>
#include <sys/wait.h>

enum { PAIR_ROOM = 1024, PAIR_SMALL = 8, PAIR_LARGE = 256 }; /* items that a queue has room for; bytes of an item */

static inline void pair_number(void *item, long number)
{
    memcpy(item, &number, sizeof number);
}

static inline void pair_expect(const void *item, long number)
{
    micro_check(memcmp(item, &number, sizeof number) == 0, "an item was lost, or came twice");
}

typedef void pair_fn(long count);

struct pair_half {
    pair_fn *fn;
    long count;
};

static inline void *pair_thread(void *arg)
{
    struct pair_half *half = (struct pair_half *)arg;
    micro_pin(0);
    half->fn(half->count);
    return NULL;
}

static inline void pair_threads(pair_fn *put, pair_fn *get, long count)
{
    struct pair_half half = { put, count };
    pthread_t thread;
    micro_pin(1);
    micro_check(pthread_create(&thread, NULL, pair_thread, &half) == 0, "no thread");
    get(count);
    pthread_join(thread, NULL);
}

static inline void pair_processes(pair_fn *put, pair_fn *get, long count)
{
    int status = 0;
    pid_t pid = fork();
    micro_check(pid >= 0, "no process");
    micro_pin(pid == 0 ? 0 : 1);
    if (pid == 0) {
        put(count);
        _exit(0);
    }
    get(count);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    micro_check(status == 0, "the end that puts failed");
}

#endif
