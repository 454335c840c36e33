/* tests/selecting.h - what the tests of cord_select() share. */
#ifndef TESTS_SELECTING_H
#define TESTS_SELECTING_H

#include "waiting.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { SIDES = 4, STORM = 200 };

struct board {
    cord_queue *a, *b;
    cord_event *event;
    cord_deadline deadline;
    cord_task *waiter;
    cord_socket socket;
    _Atomic int seen[SIDES][STORM]; /* put, and not got */
    _Atomic int done;
};

struct job {
    struct board *board;
    int number;
};

static inline struct board *setup(size_t capacity)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_queue_new(&board->a, sizeof(int), capacity, flags()));
    ok(cord_queue_new(&board->b, sizeof(int), capacity, flags()));
    ok(cord_event_new(&board->event, flags()));
    board->deadline = soon();
    board->waiter = cord_task_self();
    return board;
}

static inline void teardown(struct board *board)
{
    if (!flags())
        ck_assert_uint_le(board->event->word, 1); /* no waiter left a trace */
    cord_queue_free(board->a);
    cord_queue_free(board->b);
    cord_event_free(board->event);
    cord_shared_free(board);
}

static inline int put(cord_queue *queue, int number)
{
    return cord_queue_put(queue, &number, soon());
}

static inline int get_now(cord_queue *queue)
{
    int number = -1;
    int rc = cord_queue_get(queue, &number, CORD_NOWAIT);
    return rc < 0 ? rc : number;
}

static inline cord_task *beside(cord_fn *fn, struct board *board, int number)
{
    return start(fn, &(struct job){ board, number }, sizeof(struct job));
}

enum { PUT_A, PUT_B, GET_A, GET_B, SET_AND_CLEAR, SHUT_DOWN_A, SHUT_DOWN_B, DEEDS };

static inline int when_it_waits(void *arg)
{
    struct job *job = arg;
    struct board *board = job->board;
    int number = 40 + job->number;
    eventually(waits, board->waiter);
    switch (job->number) {
    case PUT_A:
    case PUT_B:
        return cord_queue_put(job->number == PUT_A ? board->a : board->b, &number, soon());
    case GET_A:
    case GET_B:
        return cord_queue_get(job->number == GET_A ? board->a : board->b, &number, soon());
    case SET_AND_CLEAR:
        cord_event_set(board->event);
        cord_event_clear(board->event);
        return 0;
    default:
        cord_queue_shutdown(job->number == SHUT_DOWN_A ? board->a : board->b, false);
        return 0;
    }
}

#endif
