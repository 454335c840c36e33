/* tests/queueing.h - what the tests of the queue share. */
#ifndef TESTS_QUEUEING_H
#define TESTS_QUEUEING_H

#include "waiting.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 2000, SIDES = 3 };

struct item {
    int producer, number;
};

struct board {
    cord_queue *queue;
    cord_deadline deadline;
    _Atomic int got;
    _Atomic int seen[SIDES][ITEMS]; /* how often each item came out */
    _Atomic int out_of_order;
};

struct job {
    struct board *board;
    int number, count;
};

static inline struct board *setup(size_t capacity)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_queue_new(&board->queue, sizeof(struct item), capacity, flags()));
    return board;
}

static inline void teardown(struct board *board)
{
    cord_queue_free(board->queue);
    cord_shared_free(board);
}

static inline int put(struct board *board, int number, cord_deadline deadline)
{
    return cord_queue_put(board->queue, &(struct item){ 0, number }, deadline);
}

/* The number of the item, or the negative answer. */
static inline int get(struct board *board, cord_deadline deadline)
{
    struct item item = { -1, -1 };
    int rc = cord_queue_get(board->queue, &item, deadline);
    return rc < 0 ? rc : item.number;
}

static inline int get_one(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    int number = get(board, board->deadline);
    if (number >= 0)
        atomic_fetch_add(&board->got, 1);
    return number;
}

static inline int put_one(void *arg)
{
    struct job *job = arg;
    return put(job->board, job->number, job->board->deadline);
}

static inline cord_task *waiter(struct board *board, cord_fn *fn, int number)
{
    cord_task *task = start(fn, &(struct job){ board, number, 0 }, sizeof(struct job));
    eventually(waits, task);
    return task;
}

static inline int join_queue(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    return cord_queue_join(board->queue, board->deadline);
}

#endif
