/* tests/queue_message.c - the queue of messages. */
#include "queueing.h"

static struct board *setup_messages(size_t capacity)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_queue_new(&board->queue, 0, capacity, flags()));
    return board;
}

static unsigned char filler(size_t size, size_t at)
{
    return (unsigned char)(size * 31 + at * 7);
}

static int put_size(struct board *board, size_t size, cord_deadline deadline)
{
    unsigned char *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = filler(size, i);
    int rc = cord_queue_put_bytes(board->queue, bytes, size, deadline);
    free(bytes);
    return rc;
}

static long get_size(struct board *board, size_t room, cord_deadline deadline)
{
    unsigned char *bytes = malloc(room + 1);
    ssize_t size = cord_queue_get_bytes(board->queue, bytes, room, deadline);
    for (ssize_t i = 0; i < size; i++)
        ck_assert_uint_eq(bytes[i], filler((size_t)size, (size_t)i));
    free(bytes);
    return (long)size;
}

static int put_message(void *arg)
{
    struct job *job = arg;
    return put_size(job->board, (size_t)job->number, job->board->deadline);
}

static int get_message(void *arg)
{
    struct job *job = arg;
    return (int)get_size(job->board, (size_t)job->number, job->board->deadline);
}

MODE_TEST(queue_messages_of_any_size_come_out_whole_and_in_order)
{
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 4096, 100001, 0, 3 };
    enum { COUNT = sizeof sizes / sizeof *sizes };
    struct board *board = setup_messages(200000);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++)
            is(put_size(board, sizes[i], CORD_NOWAIT), 0);
        is(cord_queue_size(board->queue), COUNT);
        for (int i = 0; i < COUNT; i++) {
            is(cord_queue_next_size(board->queue), sizes[i]);
            is(get_size(board, 100001, CORD_NOWAIT), sizes[i]);
        }
        is(cord_queue_size(board->queue), 0);
    }
    is(cord_queue_capacity(board->queue), 200000);
    is(get_size(board, 10, CORD_NOWAIT), -EAGAIN);
    is(get_size(board, 10, cord_in(0)), -ETIMEDOUT);
    is(cord_queue_next_size(board->queue), -EAGAIN);
    teardown(board);
}
ALSO_SHARED(queue_messages_of_any_size_come_out_whole_and_in_order)

MODE_TEST(queue_message_larger_than_the_buffer_stays_first)
{
    struct board *board = setup_messages(1000);
    is(put_size(board, 20, CORD_NOWAIT), 0);
    is(put_size(board, 5, CORD_NOWAIT), 0);
    is(get_size(board, 19, CORD_FOREVER), CORD_ETOOLONG);
    is(get_size(board, 0, CORD_NOWAIT), CORD_ETOOLONG);
    is(cord_queue_next_size(board->queue), 20);
    is(cord_queue_size(board->queue), 2);
    is(get_size(board, 20, CORD_FOREVER), 20);
    is(get_size(board, 20, CORD_FOREVER), 5);
    teardown(board);
}
ALSO_SHARED(queue_message_larger_than_the_buffer_stays_first)

MODE_TEST(queue_message_larger_than_the_buffer_of_one_who_waits_is_the_next_ones)
{
    if (mode.kind == CORD_PROCESS)
        skip("between processes the fastest wins");
    struct board *board = setup_messages(1000);
    cord_task *small = waiter(board, get_message, 10), *large = waiter(board, get_message, 100);
    is(put_size(board, 50, CORD_NOWAIT), 0);
    join(small, CORD_ETOOLONG);
    join(large, 50);
    small = waiter(board, get_message, 10);
    is(put_size(board, 50, CORD_NOWAIT), 0);
    join(small, CORD_ETOOLONG);
    is(get_size(board, 50, soon()), 50);
    teardown(board);
}
ALSO_SHARED(queue_message_larger_than_the_buffer_of_one_who_waits_is_the_next_ones)

MODE_TEST(queue_message_that_never_fits_fails_at_once)
{
    struct board *board = setup_messages(100);
    is(put_size(board, 101, CORD_FOREVER), -EMSGSIZE);
    is(cord_queue_put_bytes(board->queue, "", SIZE_MAX / 2, CORD_NOWAIT), -EMSGSIZE);
    is(put_size(board, 84, CORD_NOWAIT), 0);
    is(put_size(board, 84, CORD_NOWAIT), -EAGAIN);
    is(put_size(board, 84, cord_in(5 * CORD_MILLISECOND)), -ETIMEDOUT);
    is(get_size(board, 84, CORD_NOWAIT), 84);
    teardown(board);
}
ALSO_SHARED(queue_message_that_never_fits_fails_at_once)

MODE_TEST(queue_of_messages_and_of_items_refuse_each_others_calls)
{
    struct board *board = setup(2);
    char byte = 0;
    struct item item = { 0, 0 };
    is(put_size(board, 1, CORD_NOWAIT), -EINVAL);
    is(cord_queue_get_bytes(board->queue, &byte, 1, CORD_NOWAIT), -EINVAL);
    is(cord_queue_next_size(board->queue), -EINVAL);
    teardown(board);
    board = setup_messages(100);
    is(cord_queue_put(board->queue, &item, CORD_NOWAIT), -EINVAL);
    is(cord_queue_get(board->queue, &item, CORD_NOWAIT), -EINVAL);
    teardown(board);
}
ALSO_SHARED(queue_of_messages_and_of_items_refuse_each_others_calls)

/* A large message is not kept out by small ones that would fit. */
MODE_TEST(queue_putters_of_messages_are_served_in_order_of_coming)
{
    struct board *board = setup_messages(200);
    if (flags())
        skip("between processes the fastest wins");
    is(put_size(board, 100, CORD_NOWAIT), 0);
    cord_task *large = waiter(board, put_message, 150), *small = waiter(board, put_message, 10);
    is(put_size(board, 1, CORD_NOWAIT), -EAGAIN);
    is(get_size(board, 200, CORD_NOWAIT), 100);
    join(large, 0);
    join(small, 0);
    is(get_size(board, 200, CORD_NOWAIT), 150);
    is(get_size(board, 200, CORD_NOWAIT), 10);
    teardown(board);
}

MODE_TEST(queue_putter_of_a_message_that_leaves_lets_in_the_next)
{
    if (flags())
        skip("between processes the fastest wins");
    struct board *board = setup_messages(200);
    is(put_size(board, 100, CORD_NOWAIT), 0);
    cord_task *large = waiter(board, put_message, 150), *small = waiter(board, put_message, 10);
    cord_task_cancel(large);
    join(large, -ECANCELED);
    join(small, 0);
    is(get_size(board, 200, soon()), 100);
    is(get_size(board, 200, soon()), 10);
    is(get_size(board, 200, CORD_NOWAIT), -EAGAIN);
    teardown(board);
}
ALSO_SHARED(queue_putter_of_a_message_that_leaves_lets_in_the_next)

MODE_TEST(queue_messages_shut_down_and_done_as_items_are)
{
    struct board *board = setup_messages(100);
    cord_task *getter = waiter(board, get_message, 10);
    cord_queue_shutdown(board->queue, false);
    join(getter, -EPIPE);
    is(put_size(board, 1, CORD_FOREVER), -EPIPE);
    is(cord_queue_next_size(board->queue), -EPIPE);
    teardown(board);

    board = setup_messages(100);
    is(put_size(board, 10, CORD_NOWAIT), 0);
    is(put_size(board, 20, CORD_NOWAIT), 0);
    cord_task *putter = waiter(board, put_message, 60), *joiner = waiter(board, join_queue, 0);
    cord_queue_shutdown(board->queue, false);
    join(putter, -EPIPE);
    is(get_size(board, 100, CORD_FOREVER), 10);
    is(cord_queue_task_done(board->queue), 0);
    cord_queue_shutdown(board->queue, true);
    join(joiner, 0);
    is(get_size(board, 100, CORD_FOREVER), -EPIPE);
    is(cord_queue_task_done(board->queue), -EINVAL);
    teardown(board);
}
ALSO_SHARED(queue_messages_shut_down_and_done_as_items_are)

static int produce_messages(void *arg)
{
    struct job *job = arg;
    int rc = 0;
    for (int i = 0; i < job->count && rc == 0; i++)
        rc = put_size(job->board, (size_t)(i * 37 % 1000), soon());
    return rc;
}

static int consume_messages(void *arg)
{
    struct job *job = arg;
    for (int i = 0; i < job->count; i++) {
        long size = get_size(job->board, 1000, soon());
        if (size < 0)
            return (int)size;
        atomic_fetch_add(&job->board->got, (int)size);
    }
    return 0;
}

MODE_TEST(queue_of_messages_conserves_them)
{
    struct board *board = setup_messages(2500);
    cord_task *tasks[2 * SIDES];
    enum { COUNT = 300 };
    for (int i = 0; i < SIDES; i++) {
        struct job job = { board, i, COUNT };
        tasks[2 * i] = start(consume_messages, &job, sizeof job);
        tasks[2 * i + 1] = start(produce_messages, &job, sizeof job);
    }
    int sum = 0;
    for (int i = 0; i < COUNT; i++)
        sum += i * 37 % 1000;
    for (int i = 0; i < 2 * SIDES; i++)
        join(tasks[i], 0);
    is(board->got, SIDES * sum);
    is(cord_queue_size(board->queue), 0);
    teardown(board);
}
ALSO_SHARED(queue_of_messages_conserves_them)

int main(void)
{
    return run_tests("queue_message", BOTH(queue_messages_of_any_size_come_out_whole_and_in_order),
                     BOTH(queue_message_larger_than_the_buffer_stays_first),
                     BOTH(queue_message_larger_than_the_buffer_of_one_who_waits_is_the_next_ones),
                     BOTH(queue_message_that_never_fits_fails_at_once),
                     BOTH(queue_of_messages_and_of_items_refuse_each_others_calls),
                     MODE(queue_putters_of_messages_are_served_in_order_of_coming),
                     BOTH(queue_putter_of_a_message_that_leaves_lets_in_the_next),
                     BOTH(queue_messages_shut_down_and_done_as_items_are), BOTH(queue_of_messages_conserves_them), END);
}
