/* bench/micro.h - what the programs share that measure one thing: `PROGRAM CASE [SECONDS [beside]]` does it for about
 * so long and prints one line of JSON: the CPU nanoseconds of the process for each, and how many a second. With
 * "beside" a second thread sleeps meanwhile, so that no shortcut for processes of one thread applies. In C and in C++.
 */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct micro_case {
    const char *name;
    void (*run)(long count); /* does it `count` times; NULL ends the table */
};

static cpu_set_t micro_cpus; /* that the process may use; micro_main()'s */

/* Binds the calling thread to the number-th of them: two ends that share a CPU by chance measure that. */
static inline void micro_pin(int number)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    number %= CPU_COUNT(&micro_cpus);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((size_t)i, &micro_cpus) && number-- == 0)
            CPU_SET((size_t)i, &one);
    (void)!sched_setaffinity(0, sizeof one, &one);
}

/* A measurement that lost something is none. */
static inline void micro_check(int right, const char *what)
{
    if (!right) {
        fprintf(stderr, "wrong: %s\n", what);
        _exit(1);
    }
}

static inline void *micro_sleep(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static inline double micro_now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double micro_cpu[2], micro_wall[2]; /* when the measured part began and ended */

static inline void micro_mark(int end)
{
    micro_cpu[end] = micro_now(CLOCK_PROCESS_CPUTIME_ID);
    micro_wall[end] = micro_now(CLOCK_MONOTONIC);
}

/* For a case whose set-up must not count, as that of a crowd: what came before does not, or what comes after. */
static inline void micro_begin(void)
{
    micro_mark(0);
}

static inline void micro_end(void)
{
    micro_mark(1);
}

/* Finds out how many fill the time, which warms up on the way; the last run counts. */
static inline void micro_measure(const struct micro_case *what, double seconds)
{
    double wall = 0;
    long count = 100;
    for (;; count = count * (wall < seconds * 1e8 ? 8 : 2)) {
        micro_wall[1] = 0;
        micro_begin();
        what->run(count);
        if (micro_wall[1] == 0)
            micro_end();
        wall = micro_wall[1] - micro_wall[0];
        if (wall > seconds * 5e8)
            break;
    }
    printf("{\"case\": \"%s\", \"ns\": %.2f, \"per_second\": %.1f}\n", what->name,
           (micro_cpu[1] - micro_cpu[0]) / (double)count, (double)count * 1e9 / wall);
}

/* main's: picks the case by its name. */
static inline int micro_main(const struct micro_case *cases, int argc, char **argv)
{
    double seconds = argc > 2 ? atof(argv[2]) : 0.2;
    pthread_t sleeper;
    (void)!sched_getaffinity(0, sizeof micro_cpus, &micro_cpus);
    if (argc > 3 && strcmp(argv[3], "beside") == 0)
        micro_check(pthread_create(&sleeper, NULL, micro_sleep, NULL) == 0, "a second thread");
    for (int i = 0; argc > 1 && cases[i].run != NULL; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            micro_measure(&cases[i], seconds);
            return 0;
        }
    fprintf(stderr, "usage: %s CASE [SECONDS [beside]]; cases:", argv[0]);
    for (int i = 0; cases[i].run != NULL; i++)
        fprintf(stderr, " %s", cases[i].name);
    fprintf(stderr, "\n");
    return 2;
}

#endif
