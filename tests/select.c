/* tests/select.c - cord_select(): the first of several things, in every kind; nothing else of the list happens. */
#include "netkit.h"
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

static struct board *setup(size_t capacity)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_queue_new(&board->a, sizeof(int), capacity, flags()));
    ok(cord_queue_new(&board->b, sizeof(int), capacity, flags()));
    ok(cord_event_new(&board->event, flags()));
    board->deadline = soon();
    board->waiter = cord_task_self();
    return board;
}

static void teardown(struct board *board)
{
    if (!flags())
        ck_assert_uint_le(board->event->word, 1); /* no waiter left a trace */
    cord_queue_free(board->a);
    cord_queue_free(board->b);
    cord_event_free(board->event);
    cord_shared_free(board);
}

static int put(cord_queue *queue, int number)
{
    return cord_queue_put(queue, &number, soon());
}

static int get_now(cord_queue *queue)
{
    int number = -1;
    int rc = cord_queue_get(queue, &number, CORD_NOWAIT);
    return rc < 0 ? rc : number;
}

static cord_task *beside(cord_fn *fn, struct board *board, int number)
{
    return start(fn, &(struct job){ board, number }, sizeof(struct job));
}

/* --- what is ready --- */

MODE_TEST(select_of_several_that_are_ready_takes_the_first_of_the_list)
{
    struct board *board = setup(2);
    int x = -1, y = -1;
    cord_choice choices[] = { { .get = board->a, .item = &x },
                              { .get = board->b, .item = &y },
                              { .event = board->event } };
    is(cord_select(choices, 3, CORD_NOWAIT), -EAGAIN);
    is(cord_select(choices, 3, cord_in(0)), -ETIMEDOUT);
    is(cord_select(choices, 3, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
    ok(put(board->b, 7));
    cord_event_set(board->event);
    is(cord_select(choices, 3, CORD_NOWAIT), 1);
    is(choices[1].result, 0);
    is(y, 7);
    is(x, -1);
    is(cord_select(choices, 3, cord_in(0)), 2);
    is(choices[2].result, 0);
    ok(put(board->a, 5));
    ok(put(board->b, 6));
    is(cord_select(choices, 3, CORD_FOREVER), 0);
    is(x, 5);
    is(cord_queue_size(board->b), 1);
    cord_event_clear(board->event);
    is(cord_select(choices, 3, CORD_FOREVER), 1);
    is(y, 6);
    is(cord_select(choices, 3, CORD_NOWAIT), -EAGAIN);
    teardown(board);
}
ALSO_SHARED(select_of_several_that_are_ready_takes_the_first_of_the_list)

MODE_TEST(select_puts_where_there_is_room_first)
{
    struct board *board = setup(1);
    int x = 1, y = 2;
    cord_choice choices[] = { { .put = board->a, .item = &x }, { .put = board->b, .item = &y } };
    is(cord_select(choices, 2, CORD_FOREVER), 0);
    is(cord_select(choices, 2, CORD_FOREVER), 1);
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);
    is(cord_select(choices, 2, cord_in(CORD_MILLISECOND)), -ETIMEDOUT);
    is(get_now(board->b), 2);
    y = 3;
    is(cord_select(choices, 2, CORD_FOREVER), 1);
    is(get_now(board->a), 1);
    is(get_now(board->b), 3);
    is(get_now(board->a), -EAGAIN);
    is(get_now(board->b), -EAGAIN);
    teardown(board);
}
ALSO_SHARED(select_puts_where_there_is_room_first)

MODE_TEST(select_of_nothing_waits_for_the_deadline)
{
    cord_choice none[1];
    is(cord_select(none, 0, CORD_NOWAIT), -EAGAIN);
    int64_t begin = cord_now();
    is(cord_select(NULL, 0, cord_in(5 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_ge(cord_now() - begin, 5 * CORD_MILLISECOND);
}

MODE_TEST(select_refuses_what_is_no_choice)
{
    struct board *board = setup(1);
    cord_choice choices[CORD_CHOICES + 1] = { { .event = board->event } };
    cord_queue *messages = NULL;
    int item = 0;
    ok(cord_queue_new(&messages, 0, 100, flags()));
    is(cord_select(choices, 2, CORD_NOWAIT), -EINVAL); /* the second one sets nothing */
    choices[1] = (cord_choice){ .event = board->event, .get = board->a, .item = &item };
    is(cord_select(choices, 2, CORD_NOWAIT), -EINVAL);
    choices[1] = (cord_choice){ .get = board->a };
    is(cord_select(choices, 2, CORD_NOWAIT), -EINVAL);
    choices[1] = (cord_choice){ .get = messages, .item = &item };
    is(cord_select(choices, 2, CORD_NOWAIT), -EINVAL);
    choices[1] = (cord_choice){ .put = messages, .item = &item };
    is(cord_select(choices, 2, CORD_NOWAIT), -EINVAL);
    for (int i = 0; i <= CORD_CHOICES; i++)
        choices[i] = (cord_choice){ .event = board->event };
    is(cord_select(choices, CORD_CHOICES + 1, CORD_NOWAIT), -EINVAL);
    is(cord_select(choices, CORD_CHOICES, CORD_NOWAIT), -EAGAIN);
    cord_event_set(board->event);
    is(cord_select(choices, CORD_CHOICES, CORD_NOWAIT), 0);
    cord_queue_free(messages);
    teardown(board);
}
ALSO_SHARED(select_refuses_what_is_no_choice)

/* --- one that waits --- */

enum { PUT_A, PUT_B, GET_A, GET_B, SET_AND_CLEAR, SHUT_DOWN_A, SHUT_DOWN_B, DEEDS };

static int when_it_waits(void *arg)
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

MODE_TEST(select_that_waits_gets_what_comes_first)
{
    static const int deeds[] = { PUT_A, PUT_B, SET_AND_CLEAR, PUT_B, PUT_A };
    static const int firsts[] = { 0, 1, 2, 1, 0 };
    struct board *board = setup(1);
    for (int i = 0; i < 5; i++) {
        int x = -1, y = -1;
        cord_choice choices[] = { { .get = board->a, .item = &x },
                                  { .get = board->b, .item = &y },
                                  { .event = board->event } };
        cord_task *other = beside(when_it_waits, board, deeds[i]);
        is(cord_select(choices, 3, soon()), firsts[i]);
        is(choices[firsts[i]].result, 0);
        is(x, deeds[i] == PUT_A ? 40 + PUT_A : -1);
        is(y, deeds[i] == PUT_B ? 40 + PUT_B : -1);
        join(other, 0);
        ok(put(board->a, 1)); /* no node is left there that would take it */
        ok(put(board->b, 2));
        is(get_now(board->a), 1);
        is(get_now(board->b), 2);
    }
    teardown(board);
}
ALSO_SHARED(select_that_waits_gets_what_comes_first)

MODE_TEST(select_that_waits_puts_where_room_comes_first)
{
    struct board *board = setup(1);
    ok(put(board->a, 1));
    ok(put(board->b, 2));
    for (int deed = GET_A; deed <= GET_B; deed++) {
        int x = 10 + deed, y = 20 + deed;
        cord_choice choices[] = { { .put = board->a, .item = &x },
                                  { .put = board->b, .item = &y },
                                  { .event = board->event } };
        cord_task *other = beside(when_it_waits, board, deed);
        is(cord_select(choices, 3, soon()), deed - GET_A);
        join(other, 0);
        is(cord_queue_size(board->a) + cord_queue_size(board->b), 2);
    }
    is(get_now(board->a), 10 + GET_A);
    is(get_now(board->b), 20 + GET_B);
    teardown(board);
}
ALSO_SHARED(select_that_waits_puts_where_room_comes_first)

MODE_TEST(select_of_a_queue_that_is_shut_down_answers_epipe)
{
    for (int deed = SHUT_DOWN_A; deed <= SHUT_DOWN_B; deed++) {
        struct board *board = setup(1);
        int x = 1, y = 2, first = deed - SHUT_DOWN_A;
        ok(put(board->b, 9));
        cord_choice choices[] = { { .get = board->a, .item = &x }, { .put = board->b, .item = &y } };
        cord_task *other = beside(when_it_waits, board, deed);
        is(cord_select(choices, 2, soon()), first);
        is(choices[first].result, -EPIPE);
        ck_assert_ptr_nonnull(strstr(cord_error_detail(), "shut down"));
        join(other, 0);
        choices[first].result = 0;
        is(cord_select(choices, 2, CORD_NOWAIT), first);
        is(choices[first].result, -EPIPE);
        is(cord_queue_size(board->b), 1);
        teardown(board);
    }
}
ALSO_SHARED(select_of_a_queue_that_is_shut_down_answers_epipe)

static int select_three(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    int x = 0, y = 0;
    cord_choice choices[] = { { .event = board->event },
                              { .get = board->a, .item = &x },
                              { .get = board->b, .item = &y } };
    int rc = cord_select(choices, 3, board->deadline);
    return rc < 0 ? rc : rc == 0 ? 0 : x + y;
}

static cord_task *waiter(struct board *board)
{
    cord_task *task = beside(select_three, board, 0);
    eventually(waits, task);
    return task;
}

MODE_TEST(select_cancelled_or_out_of_time_leaves_no_trace)
{
    struct board *board = setup(1);
    board->deadline = CORD_FOREVER;
    cord_task *first = waiter(board), *second = waiter(board);
    cord_task_cancel(first);
    join(first, -ECANCELED);
    ok(put(board->b, 5));
    join(second, 5);
    board->deadline = cord_in(20 * CORD_MILLISECOND);
    first = beside(select_three, board, 0);
    join(first, -ETIMEDOUT);
    ok(put(board->a, 1));
    is(cord_queue_size(board->a), 1);
    teardown(board);
}
ALSO_SHARED(select_cancelled_or_out_of_time_leaves_no_trace)

static int select_when_cancelled(void *arg)
{
    int rc = cord_sleep(10 * CORD_SECOND);
    return rc == -ECANCELED ? select_three(arg) : -EINVAL;
}

MODE_TEST(select_by_a_cancelled_task_takes_nothing)
{
    struct board *board = setup(1);
    ok(put(board->a, 5));
    cord_task *task = beside(select_when_cancelled, board, 0);
    cord_task_cancel(task);
    join(task, -ECANCELED);
    is(get_now(board->a), 5);
    teardown(board);
}
ALSO_SHARED(select_by_a_cancelled_task_takes_nothing)

static int get_a(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    int number;
    int rc = cord_queue_get(board->a, &number, soon());
    return rc < 0 ? rc : number;
}

MODE_TEST(select_waits_in_line_with_those_who_get)
{
    struct board *board = setup(1);
    if (flags())
        skip("between processes the fastest wins");
    cord_task *tasks[4];
    for (int i = 0; i < 4; i++) {
        tasks[i] = i % 2 ? beside(get_a, board, 0) : beside(select_three, board, 0);
        eventually(waits, tasks[i]);
    }
    for (int i = 0; i < 4; i++)
        ok(put(board->a, 10 + i));
    for (int i = 0; i < 4; i++)
        join(tasks[i], 10 + i);
    teardown(board);
}

MODE_TEST(select_of_a_crowd_wakes_all_for_an_event_and_one_for_an_item)
{
    struct board *board = setup(1);
    static cord_task *tasks[CROWD];
    int many = crowd(), sum = 0;
    for (int i = 0; i < many; i++)
        tasks[i] = beside(select_three, board, 0);
    for (int i = 0; i < many; i++)
        eventually(waits, tasks[i]);
    for (int i = 0; i < 5; i++) {
        ok(put(board->a, 1));
        ok(put(board->b, 1));
    }
    if (flags())
        eventually(waits, tasks[many - 1]);
    cord_event_set(board->event);
    for (int i = 0; i < many; i++) {
        cord_outcome out;
        ok(cord_task_join(tasks[i], soon(), &out));
        ck_assert_int_ge(out.value, 0);
        sum += out.value;
        cord_task_free(tasks[i]);
    }
    is(sum + (int)cord_queue_size(board->a) + (int)cord_queue_size(board->b), 10);
    teardown(board);
}
ALSO_SHARED(select_of_a_crowd_wakes_all_for_an_event_and_one_for_an_item)

/* --- the end of a task --- */

static int wait_for_event(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    int rc = cord_event_wait(board->event, soon());
    return rc < 0 ? rc : 77;
}

MODE_TEST(select_of_a_task_waits_for_its_end)
{
    struct board *board = setup(1);
    cord_task *one = beside(wait_for_event, board, 0);
    cord_choice choices[] = { { .task = one } };
    if (!flags()) { /* of no other process */
        int x;
        cord_choice both[] = { { .get = board->a, .item = &x }, { .task = one } };
        is(cord_select(both, 2, CORD_NOWAIT), -EAGAIN);
    }
    is(cord_select(choices, 1, CORD_NOWAIT), -EAGAIN);
    eventually(waits, one);
    cord_task *other = beside(when_it_waits, board, SET_AND_CLEAR);
    is(cord_select(choices, 1, soon()), 0);
    is(choices[0].result, 0);
    is(cord_select(choices, 1, CORD_NOWAIT), 0);
    is(cord_task_status(one, NULL), CORD_RETURNED);
    join(one, 77);
    join(other, 0);
    teardown(board);
}

/* --- sockets --- */

static int send_when_it_waits(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    eventually(waits, board->waiter);
    ssize_t rc = cord_send_all(board->socket, "hello\nyou", 9, soon());
    return rc < 0 ? (int)rc : 0;
}

MODE_TEST(select_of_a_socket_waits_for_data)
{
    cord_socket pair[2], listener, client = { 0 }, got = { 0 };
    char address[CORD_ADDRESS_TEXT], buf[32];
    struct board *board = setup(1);
    connected_pair(pair);
    cord_choice choices[] = { { .readable = pair[1] }, { .readable = pair[0] } };
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);
    is(cord_select(choices, 2, cord_in(5 * CORD_MILLISECOND)), -ETIMEDOUT);
    board->socket = pair[1];
    cord_task *other = beside(send_when_it_waits, board, 0);
    is(cord_select(choices, 2, soon()), 1);
    is(choices[1].result, 0);
    join(other, 0);
    is(cord_select(choices, 2, CORD_NOWAIT), 1);
    is(cord_read_line(pair[0], buf, sizeof buf, soon()), 6); /* the rest is kept by the socket */
    is(cord_select(choices, 2, soon()), 1);
    is(cord_recv(pair[0], buf, sizeof buf, CORD_NOWAIT), 3);
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);

    listener = listen_anywhere(address, "tcp");
    choices[0].readable = listener;
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);
    ok(cord_connect(&client, address, NULL, soon()));
    is(cord_select(choices, 2, soon()), 0);
    ok(cord_accept(listener, &got, NULL, CORD_NOWAIT));
    cord_close(&pair[1]);
    is(cord_select(choices, 2, soon()), 1); /* an end */
    is(cord_recv(pair[0], buf, sizeof buf, CORD_NOWAIT), 0);
    cord_close(&pair[0]);
    cord_close(&client);
    cord_close(&got);
    cord_close(&listener);
    teardown(board);
}

static int drain_when_it_waits(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    static char block[1 << 16];
    eventually(waits, board->waiter);
    for (ssize_t rc = 1; !atomic_load(&board->done);) {
        rc = cord_recv(board->socket, block, sizeof block, cord_in(CORD_MILLISECOND));
        if (rc < 0 && rc != -ETIMEDOUT)
            return (int)rc;
    }
    return 0;
}

MODE_TEST(select_of_a_full_socket_waits_for_room)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    connected_pair(pair);
    cord_choice choices[] = { { .readable = pair[0] }, { .writable = pair[0] } };
    is(cord_select(choices, 2, CORD_NOWAIT), 1);
    fill(pair[0]);
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);
    board->socket = pair[1];
    cord_task *other = beside(drain_when_it_waits, board, 0);
    is(cord_select(choices, 2, soon()), 1);
    board->done = 1;
    join(other, 0);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    teardown(board);
}

MODE_TEST(select_of_a_socket_and_a_queue_takes_what_comes)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    char buf[32];
    connected_pair(pair);
    board->socket = pair[1];
    for (int round = 0; round < 3; round++) {
        int x = 0;
        cord_choice choices[] = { { .get = board->a, .item = &x }, { .readable = pair[0] }, { .event = board->event } };
        cord_task *other = beside(when_it_waits, board, PUT_A);
        is(cord_select(choices, 3, soon()), 0);
        is(x, 40 + PUT_A);
        join(other, 0);
        other = beside(send_when_it_waits, board, 0);
        is(cord_select(choices, 3, soon()), 1);
        is(cord_recv(pair[0], buf, sizeof buf, soon()), 9);
        join(other, 0);
        other = beside(when_it_waits, board, SET_AND_CLEAR);
        is(cord_select(choices, 3, soon()), 2);
        join(other, 0);
    }
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    teardown(board);
}
ALSO_SHARED(select_of_a_socket_and_a_queue_takes_what_comes)

static int close_when_it_waits(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    eventually(waits, board->waiter);
    cord_close(&board->socket);
    return 0;
}

MODE_TEST(select_of_a_closed_socket_answers_ebadf)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    connected_pair(pair);
    cord_choice choices[] = { { .event = board->event }, { .readable = pair[0] } };
    board->socket = pair[0];
    if (mode.kind != CORD_PROCESS) { /* that closes a copy */
        cord_task *other = beside(close_when_it_waits, board, 0);
        is(cord_select(choices, 2, soon()), 1);
        is(choices[1].result, -EBADF);
        join(other, 0);
    } else
        cord_close(&board->socket);
    choices[1].result = 0;
    is(cord_select(choices, 2, CORD_NOWAIT), 1);
    is(choices[1].result, -EBADF);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "closed"));
    cord_close(&pair[1]);
    teardown(board);
}

static int recv_one(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    char byte;
    ssize_t rc = cord_recv(board->socket, &byte, 1, soon());
    return rc == 1 ? byte : (int)rc;
}

/* The select waits for its turn: it counts the socket once the other call has ended. */
MODE_TEST(select_of_a_socket_that_another_task_reads_waits_for_its_end)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    char byte;
    if (mode.kind == CORD_PROCESS)
        skip("turns are those of one process");
    connected_pair(pair);
    board->socket = pair[0];
    cord_task *reader = beside(recv_one, board, 0);
    eventually(waits, reader);
    int x = 0;
    cord_choice choices[] = { { .readable = pair[0] }, { .get = board->a, .item = &x } };
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);
    cord_task *other = beside(when_it_waits, board, PUT_A);
    is(cord_select(choices, 2, soon()), 1);
    join(other, 0);
    is(cord_send(pair[1], "x", 1, soon()), 1);
    join(reader, 'x');

    reader = beside(recv_one, board, 0);
    eventually(waits, reader);
    board->socket = pair[1];
    other = beside(send_when_it_waits, board, 0); /* nine bytes: the reader takes the first */
    is(cord_select(choices, 2, soon()), 0);
    join(reader, 'h');
    join(other, 0);
    is(cord_recv(pair[0], &byte, 1, CORD_NOWAIT), 1);
    is(byte, 'e');

    board->socket = pair[0];
    reader = beside(recv_one, board, 0);
    join(reader, 'l');
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    teardown(board);
}

MODE_TEST(select_of_a_socket_closed_while_another_task_reads_answers_ebadf)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    if (mode.kind == CORD_PROCESS)
        skip("turns are those of one process");
    connected_pair(pair);
    board->socket = pair[0];
    cord_task *reader = beside(recv_one, board, 0);
    eventually(waits, reader);
    cord_choice choices[] = { { .event = board->event }, { .readable = pair[0] } };
    cord_task *other = beside(close_when_it_waits, board, 0);
    is(cord_select(choices, 2, soon()), 1);
    is(choices[1].result, -EBADF);
    join(reader, -EBADF);
    join(other, 0);
    cord_close(&pair[1]);
    teardown(board);
}

static int send_and_put(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    for (int i = 0; i < STORM; i++) {
        int rc = (int)cord_send(board->socket, "x", 1, soon());
        if (rc == 1)
            rc = cord_queue_put(board->a, &i, soon());
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* An event of the socket that came together with an item is there for the next call, also one that waits first. */
MODE_TEST(select_that_an_item_won_leaves_the_socket_its_data)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    char buf[STORM];
    int items = 0, bytes = 0, x;
    connected_pair(pair);
    board->socket = pair[1];
    cord_task *other = start_kind(mode.kind == CORD_PROCESS ? CORD_PROCESS : CORD_THREAD, send_and_put,
                                  &(struct job){ board, 0 }, sizeof(struct job));
    while (items < STORM || bytes < STORM) {
        cord_choice choices[] = { { .get = board->a, .item = &x }, { .readable = pair[0] } };
        int first = cord_select(choices, 2, soon());
        ok(first);
        items += first == 0;
        if (bytes < items || first == 1) {
            ssize_t count = cord_recv(pair[0], buf, sizeof buf, soon());
            ck_assert_int_gt(count, 0);
            bytes += (int)count;
        }
    }
    is(items, STORM);
    is(bytes, STORM);
    join(other, 0);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    teardown(board);
}
ALSO_SHARED(select_that_an_item_won_leaves_the_socket_its_data)

/* --- nothing is lost --- */

static int item_of(int side, int number)
{
    return side * STORM + number;
}

static void note(struct board *board, int item, int change)
{
    atomic_fetch_add(&board->seen[item / STORM][item % STORM], change);
}

static cord_deadline brief(int i)
{
    return i % 5 == 0 ? CORD_NOWAIT : cord_in((i % 7) * 15 * CORD_MICROSECOND);
}

static int storm_put(void *arg)
{
    struct job *job = arg;
    struct board *board = job->board;
    for (int i = 0, rc = 0; i < STORM && rc != -ECANCELED; i++) {
        int item = item_of(job->number, i);
        cord_choice choices[] = { { .put = i % 2 ? board->a : board->b, .item = &item },
                                  { .put = i % 2 ? board->b : board->a, .item = &item },
                                  { .event = board->event } };
        rc = i % 3 == 0 ? cord_queue_put(board->a, &item, brief(i)) : cord_select(choices, 3, brief(i));
        if (rc >= 0)
            note(board, item, 1);
        if (rc == -EAGAIN)
            rc = cord_yield();
    }
    return 0;
}

static int storm_get(void *arg)
{
    struct job *job = arg;
    struct board *board = job->board;
    for (int i = 0, rc = 0; i < STORM && rc != -ECANCELED; i++) {
        int item = -1;
        cord_choice choices[] = { { .get = i % 2 ? board->a : board->b, .item = &item },
                                  { .event = board->event },
                                  { .get = i % 2 ? board->b : board->a, .item = &item } };
        rc = i % 4 == 0 ? cord_queue_get(board->b, &item, brief(i)) : cord_select(choices, 3, brief(i));
        if (rc >= 0)
            note(board, item, -1);
        if (rc == -EAGAIN)
            rc = cord_yield();
    }
    return 0;
}

static void take_rest(struct board *board, cord_queue *queue)
{
    for (int item; (item = get_now(queue)) >= 0;)
        note(board, item, -1);
}

static void storm(size_t capacity, cord_kind first, cord_kind last)
{
    struct board *board = setup(capacity);
    cord_task *tasks[2 * SIDES];
    cord_kind kind = first;
    for (int i = 0; i < SIDES; i++, kind = kind == last ? first : kind + 1) {
        struct job job = { board, i };
        tasks[2 * i] = start_kind(kind, storm_get, &job, sizeof job);
        tasks[2 * i + 1] = start_kind(kind == last ? first : kind + 1, storm_put, &job, sizeof job);
    }
    for (int i = 0; i < 20; i++)
        ok(cord_yield());
    cord_task_cancel(tasks[0]);
    cord_task_cancel(tasks[3]);
    for (int i = 0; i < 2 * SIDES; i++)
        join(tasks[i], 0);
    take_rest(board, board->a);
    take_rest(board, board->b);
    for (int i = 0; i < SIDES; i++)
        for (int k = 0; k < STORM; k++)
            is(board->seen[i][k], 0);
    teardown(board);
}

MODE_TEST(select_storm_of_deadlines_and_cancels_conserves_items)
{
    storm(1, mode.kind, mode.kind);
    storm(3, mode.kind, mode.kind);
}
ALSO_SHARED(select_storm_of_deadlines_and_cancels_conserves_items)

PLAIN_TEST(select_storm_of_coroutines_and_threads_conserves_items)
{
    for (int round = 0; round < 10; round++)
        storm(1 + (size_t)round % 3, CORD_COROUTINE, CORD_THREAD);
}

/* Two that put into one queue and get from the other, whichever goes. */
static int trade(void *arg)
{
    struct job *job = arg;
    struct board *board = job->board;
    cord_queue *to = job->number ? board->b : board->a, *from = job->number ? board->a : board->b;
    for (int sent = 0, got = 0; sent < STORM || got < STORM;) {
        int out = item_of(job->number, sent), in = -1, count = 0;
        cord_choice choices[2];
        if (sent < STORM)
            choices[count++] = (cord_choice){ .put = to, .item = &out };
        if (got < STORM)
            choices[count++] = (cord_choice){ .get = from, .item = &in };
        int first = cord_select(choices, (size_t)count, soon());
        if (first < 0)
            return first;
        if (choices[first].put != NULL) {
            note(board, out, 1);
            sent++;
        } else {
            if (in != item_of(!job->number, got++))
                return -EINVAL;
            note(board, in, -1);
        }
    }
    return 0;
}

MODE_TEST(select_of_two_that_put_and_get_at_once_trades_all)
{
    struct board *board = setup(1);
    cord_task *one = beside(trade, board, 0), *other = beside(trade, board, 1);
    join(one, 0);
    join(other, 0);
    for (int k = 0; k < STORM; k++)
        is(board->seen[0][k] + board->seen[1][k], 0);
    teardown(board);
}
ALSO_SHARED(select_of_two_that_put_and_get_at_once_trades_all)

static int on_two_loops(void *arg)
{
    struct board *board = setup(2);
    cord_group_options anywhere = { .task.loop = CORD_LOOP_ANY }, threads = { .task.kind = CORD_THREAD };
    cord_group *groups[2];
    (void)arg;
    ok(cord_group_new(&groups[0], &anywhere));
    ok(cord_group_new(&groups[1], &threads));
    for (int i = 0; i < SIDES; i++) {
        struct job job = { board, i };
        ok(cord_group_start(groups[i / 2], storm_get, &job, sizeof job));
        ok(cord_group_start(groups[i % 2], storm_put, &job, sizeof job));
    }
    ok(cord_group_join(groups[0], soon()));
    ok(cord_group_join(groups[1], soon()));
    take_rest(board, board->a);
    take_rest(board, board->b);
    for (int i = 0; i < SIDES; i++)
        for (int k = 0; k < STORM; k++)
            is(board->seen[i][k], 0);
    teardown(board);
    return 0;
}

PLAIN_TEST(select_of_two_loops_and_threads_conserves_items)
{
    for (int round = 0; round < 10; round++)
        is(cord_run(on_two_loops, NULL, &(cord_run_options){ .loops = 2 }), 0);
}

int main(void)
{
    return run_tests(
        "select", BOTH(select_of_several_that_are_ready_takes_the_first_of_the_list),
        BOTH(select_puts_where_there_is_room_first), MODE(select_of_nothing_waits_for_the_deadline),
        BOTH(select_refuses_what_is_no_choice), BOTH(select_that_waits_gets_what_comes_first),
        BOTH(select_that_waits_puts_where_room_comes_first), BOTH(select_of_a_queue_that_is_shut_down_answers_epipe),
        BOTH(select_cancelled_or_out_of_time_leaves_no_trace), BOTH(select_by_a_cancelled_task_takes_nothing),
        MODE(select_waits_in_line_with_those_who_get),
        BOTH(select_of_a_crowd_wakes_all_for_an_event_and_one_for_an_item), MODE(select_of_a_task_waits_for_its_end),
        MODE(select_of_a_socket_waits_for_data), MODE(select_of_a_full_socket_waits_for_room),
        BOTH(select_of_a_socket_and_a_queue_takes_what_comes), MODE(select_of_a_closed_socket_answers_ebadf),
        MODE(select_of_a_socket_that_another_task_reads_waits_for_its_end),
        MODE(select_of_a_socket_closed_while_another_task_reads_answers_ebadf),
        BOTH(select_that_an_item_won_leaves_the_socket_its_data),
        BOTH(select_storm_of_deadlines_and_cancels_conserves_items),
        PLAIN(select_storm_of_coroutines_and_threads_conserves_items),
        BOTH(select_of_two_that_put_and_get_at_once_trades_all), PLAIN(select_of_two_loops_and_threads_conserves_items),
        END);
}
