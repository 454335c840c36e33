/* tests/queue_order.c - the orders of a queue, what is done, and the shutdown. */
#include "queueing.h"

/* --- the orders; and what CPython's test_queue.py asks of each --- */

enum order { FIRST_IN, LAST_IN, LEAST, ORDERS };

static int by_producer(const void *a, const void *b)
{
    return ((const struct item *)a)->producer - ((const struct item *)b)->producer;
}

static int by_number(const void *a, const void *b)
{
    return ((const struct item *)a)->number - ((const struct item *)b)->number;
}

static struct board *setup_order(size_t capacity, enum order order)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_queue_new(&board->queue, sizeof(struct item), capacity, flags() | (order == LAST_IN ? CORD_LIFO : 0)));
    if (order == LEAST)
        ok(cord_queue_sort_by(board->queue, by_number));
    return board;
}

/* test_queue.py: basic_queue_test. */
MODE_TEST(queue_of_each_order_fills_and_empties)
{
    static const int out[ORDERS][3] = { { 111, 333, 222 }, { 222, 333, 111 }, { 111, 222, 333 } };
    for (enum order order = 0; order < ORDERS; order++) {
        struct board *board = setup_order(3, order);
        is(put(board, 111, CORD_FOREVER), 0);
        is(put(board, 333, CORD_FOREVER), 0);
        is(put(board, 222, CORD_FOREVER), 0);
        is(put(board, 444, CORD_NOWAIT), -EAGAIN);
        is(put(board, 444, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
        is(cord_queue_size(board->queue), 3);
        for (int i = 0; i < 3; i++)
            is(get(board, CORD_FOREVER), out[order][i]);
        is(get(board, CORD_NOWAIT), -EAGAIN);
        is(get(board, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
        for (int i = 0; i < 3; i++)
            is(put(board, i, CORD_NOWAIT), 0);
        cord_task *task = waiter(board, put_one, 9);
        int first = get(board, soon());
        is(first, order == LAST_IN ? 2 : 0);
        join(task, 0);
        is(cord_queue_size(board->queue), 3);
        int sum = first;
        for (int i = 0; i < 3; i++)
            sum += get(board, soon());
        is(sum, 0 + 1 + 2 + 9);
        task = waiter(board, get_one, 0);
        is(put(board, 5, CORD_NOWAIT), 0);
        join(task, 5);
        is(cord_queue_size(board->queue), 0);
        teardown(board);
    }
}
ALSO_SHARED(queue_of_each_order_fills_and_empties)

/* Puts and gets in turn, beside a list that is searched. */
MODE_TEST(queue_sorted_gives_the_least_and_of_equals_the_oldest)
{
    enum { ROOM = 64, STEPS = 3000 };
    struct board *board = setup(ROOM);
    struct item there[ROOM];
    unsigned random = 7;
    int count = 0;
    ok(cord_queue_sort_by(board->queue, by_producer));
    for (int step = 0; step < STEPS; step++) {
        random = random * 1103515245 + 12345;
        bool grow = (random >> 16) % 8 < (step / 300 % 2 ? 3U : 5U);
        if (count < ROOM && (grow || count == 0)) {
            there[count] = (struct item){ (int)(random >> 20) % 7, step };
            is(cord_queue_put(board->queue, &there[count++], CORD_NOWAIT), 0);
            continue;
        }
        int least = 0;
        for (int i = 1; i < count; i++)
            if (there[i].producer < there[least].producer)
                least = i;
        struct item got;
        is(cord_queue_get(board->queue, &got, CORD_NOWAIT), 0);
        is(got.producer, there[least].producer);
        is(got.number, there[least].number);
        memmove(&there[least], &there[least + 1], sizeof *there * (size_t)(--count - least));
    }
    is(cord_queue_size(board->queue), count);
    teardown(board);
}
ALSO_SHARED(queue_sorted_gives_the_least_and_of_equals_the_oldest)

MODE_TEST(queue_sort_of_items_that_are_there_lifo_and_messages_fails)
{
    struct board *board = setup(2);
    cord_queue *other = NULL;
    is(put(board, 1, CORD_NOWAIT), 0);
    is(cord_queue_sort_by(board->queue, by_number), -EBUSY);
    is(get(board, CORD_NOWAIT), 1);
    is(cord_queue_sort_by(board->queue, by_number), 0);
    is(cord_queue_sort_by(board->queue, by_number), 0);
    is(put(board, 2, CORD_NOWAIT), 0);
    is(put(board, 1, CORD_NOWAIT), 0);
    is(cord_queue_sort_by(board->queue, by_number), -EBUSY);
    is(get(board, CORD_NOWAIT), 1);
    ok(cord_queue_new(&other, 4, 1, flags() | CORD_LIFO));
    is(cord_queue_sort_by(other, by_number), -EINVAL);
    cord_queue_free(other);
    ok(cord_queue_new(&other, 0, 100, flags()));
    is(cord_queue_sort_by(other, by_number), -EINVAL);
    cord_queue_free(other);
    teardown(board);
}
ALSO_SHARED(queue_sort_of_items_that_are_there_lifo_and_messages_fails)

/* --- done --- */

static int work_until_negative(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    int number, rc;
    while ((number = get(board, soon())) >= 0) {
        atomic_fetch_add(&board->got, number);
        rc = number == ITEMS ? 0 : cord_yield();
        if (rc == 0)
            rc = cord_queue_task_done(board->queue);
        if (rc < 0 || number == ITEMS)
            return rc;
    }
    return number;
}

/* test_queue.py: queue_join_test, test_queue_join: the same queue twice. */
MODE_TEST(queue_join_ends_when_all_is_done_again_and_again)
{
    struct board *board = setup(8);
    is(cord_queue_task_done(board->queue), -EINVAL);
    is(cord_queue_join(board->queue, CORD_NOWAIT), 0);
    is(cord_queue_join(board->queue, CORD_FOREVER), 0);
    for (int round = 0, sum = 0; round < 2; round++) {
        cord_task *workers[2];
        for (int i = 0; i < 2; i++)
            workers[i] = start(work_until_negative, &(struct job){ board, 0, 0 }, sizeof(struct job));
        for (int i = 0; i < 100; i++, sum += i - 1)
            is(put(board, i, soon()), 0);
        is(cord_queue_join(board->queue, soon()), 0);
        is(board->got, sum);
        for (int i = 0; i < 2; i++, sum += ITEMS)
            is(put(board, ITEMS, soon()), 0);
        is(cord_queue_join(board->queue, soon()), 0);
        for (int i = 0; i < 2; i++)
            join(workers[i], 0);
    }
    is(cord_queue_task_done(board->queue), -EINVAL);
    teardown(board);
}
ALSO_SHARED(queue_join_ends_when_all_is_done_again_and_again)

MODE_TEST(queue_joins_of_many_end_with_the_last_task_done)
{
    struct board *board = setup(2);
    cord_task *tasks[5];
    is(put(board, 1, CORD_NOWAIT), 0);
    is(put(board, 2, CORD_NOWAIT), 0);
    for (int i = 0; i < 5; i++)
        tasks[i] = waiter(board, join_queue, 0);
    is(get(board, CORD_NOWAIT), 1);
    is(get(board, CORD_NOWAIT), 2);
    is(cord_queue_join(board->queue, CORD_NOWAIT), -EAGAIN);
    is(cord_queue_task_done(board->queue), 0);
    is(cord_queue_join(board->queue, cord_in(0)), -ETIMEDOUT);
    is(cord_queue_join(board->queue, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
    for (int i = 0; i < 5; i++)
        is(cord_task_status(tasks[i], NULL), CORD_RUNNING);
    cord_task_cancel(tasks[1]);
    join(tasks[1], -ECANCELED);
    is(cord_queue_task_done(board->queue), 0);
    for (int i = 0; i < 5; i++)
        if (i != 1)
            join(tasks[i], 0);
    is(cord_queue_task_done(board->queue), -EINVAL);
    teardown(board);
}
ALSO_SHARED(queue_joins_of_many_end_with_the_last_task_done)

/* What is handed straight to one who waits was put, too. */
MODE_TEST(queue_join_waits_for_an_item_that_was_handed_over)
{
    struct board *board = setup(1);
    cord_task *getter = waiter(board, get_one, 0);
    is(put(board, 3, CORD_NOWAIT), 0);
    join(getter, 3);
    is(cord_queue_join(board->queue, CORD_NOWAIT), -EAGAIN);
    is(cord_queue_task_done(board->queue), 0);
    is(put(board, 4, CORD_NOWAIT), 0);
    cord_task *putter = waiter(board, put_one, 5);
    is(get(board, CORD_NOWAIT), 4);
    join(putter, 0);
    is(cord_queue_task_done(board->queue), 0);
    is(cord_queue_join(board->queue, CORD_NOWAIT), -EAGAIN);
    is(get(board, soon()), 5);
    is(cord_queue_task_done(board->queue), 0);
    is(cord_queue_join(board->queue, CORD_NOWAIT), 0);
    teardown(board);
}
ALSO_SHARED(queue_join_waits_for_an_item_that_was_handed_over)

/* --- shutdown: test_queue.py of 3.13 --- */

MODE_TEST(queue_shut_down_gives_what_is_there_and_takes_no_more)
{
    for (enum order order = 0; order < ORDERS; order++) {
        struct board *board = setup_order(4, order);
        is(put(board, 1, CORD_NOWAIT), 0);
        is(put(board, 2, CORD_NOWAIT), 0);
        cord_queue_shutdown(board->queue, false);
        is(put(board, 3, CORD_NOWAIT), -EPIPE);
        is(put(board, 3, CORD_FOREVER), -EPIPE);
        is(put(board, 3, cord_in(0)), -EPIPE);
        is(cord_queue_size(board->queue), 2);
        is(get(board, CORD_FOREVER) + get(board, CORD_NOWAIT), 3);
        cord_queue_shutdown(board->queue, false);
        is(get(board, CORD_NOWAIT), -EPIPE);
        ck_assert_ptr_nonnull(strstr(cord_error_detail(), "shut down"));
        is(get(board, CORD_FOREVER), -EPIPE);
        is(cord_queue_join(board->queue, CORD_NOWAIT), -EAGAIN);
        is(cord_queue_task_done(board->queue), 0);
        is(cord_queue_task_done(board->queue), 0);
        is(cord_queue_join(board->queue, CORD_NOWAIT), 0);
        is(cord_queue_task_done(board->queue), -EINVAL);
        teardown(board);
    }
}
ALSO_SHARED(queue_shut_down_gives_what_is_there_and_takes_no_more)

MODE_TEST(queue_shut_down_at_once_drops_what_is_there_and_ends_joins)
{
    struct board *board = setup(4);
    for (int i = 0; i < 3; i++)
        is(put(board, i, CORD_NOWAIT), 0);
    is(get(board, CORD_NOWAIT), 0);
    cord_task *joiners[2] = { waiter(board, join_queue, 0), waiter(board, join_queue, 0) };
    cord_queue_shutdown(board->queue, true);
    is(cord_queue_size(board->queue), 0);
    is(get(board, CORD_NOWAIT), -EPIPE);
    is(put(board, 1, CORD_FOREVER), -EPIPE);
    is(cord_task_status(joiners[0], NULL), CORD_RUNNING); /* one item is being dealt with */
    is(cord_queue_task_done(board->queue), 0);
    join(joiners[0], 0);
    join(joiners[1], 0);
    is(cord_queue_task_done(board->queue), -EINVAL);
    cord_queue_shutdown(board->queue, true);
    cord_queue_shutdown(board->queue, false);
    is(cord_queue_join(board->queue, CORD_FOREVER), 0);
    teardown(board);
}
ALSO_SHARED(queue_shut_down_at_once_drops_what_is_there_and_ends_joins)

MODE_TEST(queue_shut_down_and_then_at_once_drops_the_rest)
{
    struct board *board = setup(4);
    for (int i = 0; i < 3; i++)
        is(put(board, i, CORD_NOWAIT), 0);
    cord_task *joiner = waiter(board, join_queue, 0);
    cord_queue_shutdown(board->queue, false);
    is(cord_task_status(joiner, NULL), CORD_RUNNING);
    is(get(board, CORD_NOWAIT), 0);
    is(cord_queue_task_done(board->queue), 0);
    cord_queue_shutdown(board->queue, true);
    join(joiner, 0);
    is(get(board, CORD_FOREVER), -EPIPE);
    teardown(board);
}
ALSO_SHARED(queue_shut_down_and_then_at_once_drops_the_rest)

MODE_TEST(queue_shut_down_tells_those_who_wait)
{
    for (int immediate = 0; immediate < 2; immediate++) {
        struct board *board = setup(1);
        cord_task *tasks[3];
        for (int i = 0; i < 3; i++)
            tasks[i] = waiter(board, get_one, 0);
        cord_queue_shutdown(board->queue, immediate);
        for (int i = 0; i < 3; i++)
            join(tasks[i], -EPIPE);
        is(board->got, 0);
        teardown(board);

        board = setup(1);
        is(put(board, 7, CORD_NOWAIT), 0);
        for (int i = 0; i < 3; i++)
            tasks[i] = waiter(board, put_one, i);
        cord_queue_shutdown(board->queue, immediate);
        for (int i = 0; i < 3; i++)
            join(tasks[i], -EPIPE);
        is(get(board, CORD_FOREVER), immediate ? -EPIPE : 7);
        is(get(board, CORD_FOREVER), -EPIPE);
        teardown(board);
    }
}
ALSO_SHARED(queue_shut_down_tells_those_who_wait)

MODE_TEST(queue_crowd_is_told_of_a_shutdown)
{
    struct board *board = setup(3);
    static cord_task *tasks[CROWD];
    int many = crowd();
    for (int i = 0; i < many; i++)
        tasks[i] = start(get_one, &(struct job){ board, 0, 0 }, sizeof(struct job));
    for (int i = 0; i < many; i++)
        eventually(waits, tasks[i]);
    is(put(board, 0, CORD_NOWAIT), 0);
    cord_queue_shutdown(board->queue, true);
    int got = 0;
    for (int i = 0; i < many; i++) {
        cord_outcome out;
        ok(cord_task_join(tasks[i], soon(), &out));
        ck_assert(out.value == 0 || out.value == -EPIPE);
        got += out.value == 0;
        cord_task_free(tasks[i]);
    }
    ck_assert_int_le(got, 1); /* a shared one may have dropped the item */
    teardown(board);
}
ALSO_SHARED(queue_crowd_is_told_of_a_shutdown)

int main(void)
{
    return run_tests("queue_order", BOTH(queue_of_each_order_fills_and_empties),
                     BOTH(queue_sorted_gives_the_least_and_of_equals_the_oldest),
                     BOTH(queue_sort_of_items_that_are_there_lifo_and_messages_fails),
                     BOTH(queue_join_ends_when_all_is_done_again_and_again),
                     BOTH(queue_joins_of_many_end_with_the_last_task_done),
                     BOTH(queue_join_waits_for_an_item_that_was_handed_over),
                     BOTH(queue_shut_down_gives_what_is_there_and_takes_no_more),
                     BOTH(queue_shut_down_at_once_drops_what_is_there_and_ends_joins),
                     BOTH(queue_shut_down_and_then_at_once_drops_the_rest), BOTH(queue_shut_down_tells_those_who_wait),
                     BOTH(queue_crowd_is_told_of_a_shutdown), END);
}
