/* rt/records.h - what is known of the tasks of this process at one moment: for cord_task_list() and for reports.
 *
 * Threads and processes stand in the runtime's list and are read off their blocks. Coroutines are read by their own
 * loop's thread only: another thread asks the loop, which answers between two turns; one that does not answer within
 * 200 ms is in a coroutine that does not come back. A loop that asks another one answers meanwhile, so that two may ask
 * each other. To look at the coroutines from outside was rejected: it needs a lock in each switch, start and end.
 *
 * INVARIANT of cordi_loop_debug.asked: who changes it from NOT_ASKED to ASKED is the asker, and only he changes it back
 * (to NOT_ASKED: he has given up, or has taken the answer); only the loop changes ASKED to ANSWERED.
 */
#ifndef CORDI_RT_RECORDS_H
#define CORDI_RT_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cord_task;
struct cordi_loop;

enum cordi_record_state { CORDI_RUNS, CORDI_READY, CORDI_WAITS };

struct cordi_record {
    char name[32];
    uint8_t kind;
    bool daemon;
    enum cordi_record_state state;
    int pid, thread_id;     /* 0: none */
    const char *what;       /* it waits for */
    int fd;                 /* that it waits for, -1: none */
    int64_t since;          /* its wait began, 0: not known */
    const void *started_at; /* NULL: cordage did not start it */
    char holder[32];        /* of the lock that it waits for; "": not known */
    const void *held_at;    /* where that took it, NULL: not known */
};

struct cordi_records {
    size_t count, room;
    struct cordi_record at[];
};

/* To be freed by the caller; NULL: out of memory. The second: on the loop's thread. */
struct cordi_records *cordi_records_of_threads(void); /* and processes */
struct cordi_records *cordi_records_of_loop(struct cordi_loop *loop);

/* From any thread but the loop's own. NULL: it does not answer. */
struct cordi_records *cordi_records_ask(struct cordi_loop *loop);

/* The loop answers, if it is asked; its debug.asked is not 0. */
void cordi_records_answer(struct cordi_loop *loop);

/* The loop with the next number, which does not end before it is let go; NULL: there is none. */
struct cordi_loop *cordi_records_next_loop(uint32_t after);
void cordi_records_let_go(struct cordi_loop *loop);

#endif
