/* bench/micro.h - what the programs share that measure one thing: `PROGRAM CASE SECONDS` does it for about so long and
 * prints one line of JSON, the CPU nanoseconds of the process for each. In C and in C++. */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct micro_case {
    const char *name;
    void (*run)(long count); /* does it `count` times; NULL ends the table */
};

static inline double micro_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Finds out how many fill the time, which warms up on the way; the last run counts. */
static inline void micro_measure(const struct micro_case *what, double seconds)
{
    double used = 0;
    long count = 100;
    for (;; count = count * (used < seconds * 1e8 ? 8 : 2)) {
        double begin = micro_cpu();
        what->run(count);
        used = micro_cpu() - begin;
        if (used > seconds * 5e8)
            break;
    }
    printf("{\"case\": \"%s\", \"ns\": %.2f}\n", what->name, used / (double)count);
}

/* main's: picks the case by its name. */
static inline int micro_main(const struct micro_case *cases, int argc, char **argv)
{
    double seconds = argc > 2 ? atof(argv[2]) : 0.2;
    for (int i = 0; argc > 1 && cases[i].run != NULL; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            micro_measure(&cases[i], seconds);
            return 0;
        }
    fprintf(stderr, "usage: %s CASE [SECONDS]; cases:", argv[0]);
    for (int i = 0; cases[i].run != NULL; i++)
        fprintf(stderr, " %s", cases[i].name);
    fprintf(stderr, "\n");
    return 2;
}

#endif
