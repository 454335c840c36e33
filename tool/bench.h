/* tool/bench.h - what the files of `cordage bench` share.
 *
 * A subject is a table of rows; a row is a function that does something `count` times. Ours and what one would use
 * instead are rows of the same table and run in turn, round by round.
 */
#ifndef TOOL_BENCH_H
#define TOOL_BENCH_H

#include <stdint.h>
#include <time.h>

#include <cordage.h>

enum { ARMED = 10000, CONNECTIONS = 64, TCP_ROWS = 4, MOST_ROWS = 8, NO_ROW = -1 };

/* What a subject's open prepared for its rows. */
struct bench {
    int64_t cpu; /* nanoseconds that a row counted itself; < 0: count this process's and its children's */
    cord_lock *lock;
    cord_event *event;   /* what the armed coroutines wait for */
    cord_group *waiting; /* the armed coroutines */
    timer_t *timers;
    int armed_timers;
    struct tcp_server *servers; /* TCP_ROWS of them */
};

struct row {
    const char *name;
    int (*run)(struct bench *bench, int which, uint64_t count); /* 0, or a negative code */
    int which;
    int beside; /* the row it is compared with, NO_ROW if none */
};

struct subject {
    const char *name, *what;
    int (*open)(struct bench *b); /* NULL: nothing to prepare */
    void (*close)(struct bench *b);
    struct row rows[MOST_ROWS]; /* ended by one without a name */
};
enum { SUBJECTS = 6 };
extern const struct subject bench_subjects[SUBJECTS];

/* Starts the echo servers; a backend that does not work here has none. */
int bench_tcp_open(struct bench *bench);
void bench_tcp_close(struct bench *bench);

/* 64 bytes there and back over CONNECTIONS connections, count times in all. -ENOSYS: there is no such server. */
int bench_tcp_run(struct bench *bench, int which, uint64_t count);

#endif
