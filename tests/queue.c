/* tests/queue.c - the queue, local and shared, in every kind. */
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

static struct board *setup(size_t capacity)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_queue_new(&board->queue, sizeof(struct item), capacity, flags()));
    return board;
}

static void teardown(struct board *board)
{
    cord_queue_free(board->queue);
    cord_shared_free(board);
}

static int put(struct board *board, int number, cord_deadline deadline)
{
    return cord_queue_put(board->queue, &(struct item){ 0, number }, deadline);
}

/* The number of the item, or the negative answer. */
static int get(struct board *board, cord_deadline deadline)
{
    struct item item = { -1, -1 };
    int rc = cord_queue_get(board->queue, &item, deadline);
    return rc < 0 ? rc : item.number;
}

MODE_TEST(queue_full_and_empty_answer_by_deadline)
{
    struct board *board = setup(2);
    is(cord_queue_capacity(board->queue), 2);
    is(get(board, CORD_NOWAIT), -EAGAIN);
    is(get(board, cord_in(0)), -ETIMEDOUT);
    is(get(board, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "queue"));
    is(put(board, 1, CORD_NOWAIT), 0);
    is(cord_queue_size(board->queue), 1);
    is(put(board, 2, cord_in(0)), 0);
    is(cord_queue_size(board->queue), 2);
    is(put(board, 3, CORD_NOWAIT), -EAGAIN);
    is(put(board, 3, cord_in(0)), -ETIMEDOUT);
    is(put(board, 3, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
    is(get(board, CORD_NOWAIT), 1);
    is(put(board, 3, CORD_FOREVER), 0);
    is(get(board, CORD_FOREVER), 2);
    is(get(board, cord_in(0)), 3);
    is(cord_queue_size(board->queue), 0);
    teardown(board);
}
ALSO_SHARED(queue_full_and_empty_answer_by_deadline)

MODE_TEST(queue_order_is_kept_around_the_ring)
{
    struct board *board = setup(7);
    int in = 0, out = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 1 + round % 7; i++)
            is(put(board, in++, CORD_NOWAIT), 0);
        is(cord_queue_size(board->queue), in - out);
        while (out < in)
            is(get(board, CORD_NOWAIT), out++);
    }
    teardown(board);
}
ALSO_SHARED(queue_order_is_kept_around_the_ring)

static int produce(void *arg)
{
    struct job *job = arg;
    int rc = 0;
    for (int i = 0; i < job->count && rc == 0; i++)
        rc = cord_queue_put(job->board->queue, &(struct item){ job->number, i }, CORD_FOREVER);
    return rc;
}

static int consume(void *arg)
{
    struct job *job = arg;
    int last[SIDES] = { -1, -1, -1 };
    for (int i = 0; i < job->count; i++) {
        struct item item;
        int rc = cord_queue_get(job->board->queue, &item, CORD_FOREVER);
        if (rc < 0)
            return rc;
        atomic_fetch_add(&job->board->seen[item.producer][item.number], 1);
        if (item.number <= last[item.producer]) /* one consumer sees each producer's items in order */
            atomic_fetch_add(&job->board->out_of_order, 1);
        last[item.producer] = item.number;
    }
    return 0;
}

static void conserve(size_t capacity, int count, cord_kind first, cord_kind last)
{
    struct board *board = setup(capacity);
    cord_task *tasks[2 * SIDES];
    cord_kind kind = first;
    for (int i = 0; i < SIDES; i++, kind = kind == last ? first : kind + 1) {
        struct job job = { board, i, count };
        tasks[2 * i] = start_kind(kind, consume, &job, sizeof job);
        tasks[2 * i + 1] = start_kind(kind == last ? first : kind + 1, produce, &job, sizeof job);
    }
    for (int i = 0; i < 2 * SIDES; i++)
        join(tasks[i], 0);
    for (int i = 0; i < SIDES; i++)
        for (int k = 0; k < count; k++)
            is(board->seen[i][k], 1);
    is(board->out_of_order, 0);
    is(cord_queue_size(board->queue), 0);
    teardown(board);
}

MODE_TEST(queue_producers_and_consumers_conserve_items)
{
    conserve(7, ITEMS, mode.kind, mode.kind);
}
ALSO_SHARED(queue_producers_and_consumers_conserve_items)

MODE_TEST(queue_of_one_place_conserves_items)
{
    conserve(1, ITEMS / 4, mode.kind, mode.kind);
}
ALSO_SHARED(queue_of_one_place_conserves_items)

PLAIN_TEST(queue_of_coroutines_and_threads_conserves_items)
{
    conserve(4, ITEMS, CORD_COROUTINE, CORD_THREAD);
}

PLAIN_TEST(queue_of_coroutines_threads_and_processes_conserves_items)
{
    sharing = CORD_SHARED;
    conserve(4, ITEMS, CORD_COROUTINE, CORD_PROCESS);
}

static int get_one(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    int number = get(board, board->deadline);
    if (number >= 0)
        atomic_fetch_add(&board->got, 1);
    return number;
}

static int put_one(void *arg)
{
    struct job *job = arg;
    return put(job->board, job->number, job->board->deadline);
}

static cord_task *waiter(struct board *board, cord_fn *fn, int number)
{
    cord_task *task = start(fn, &(struct job){ board, number, 0 }, sizeof(struct job));
    eventually(waits, task);
    return task;
}

MODE_TEST(queue_getters_are_served_in_order_of_coming)
{
    struct board *board = setup(2);
    cord_task *tasks[5];
    if (mode.kind == CORD_PROCESS)
        skip("between processes the fastest wins");
    for (int i = 0; i < 5; i++)
        tasks[i] = waiter(board, get_one, 0);
    for (int i = 0; i < 5; i++)
        is(put(board, i, CORD_NOWAIT), 0); /* straight to a getter: more than there is room for */
    is(cord_queue_size(board->queue), 0);
    for (int i = 0; i < 5; i++)
        join(tasks[i], i);
    teardown(board);
}

MODE_TEST(queue_putters_are_served_in_order_of_coming)
{
    struct board *board = setup(1);
    cord_task *tasks[5];
    if (mode.kind == CORD_PROCESS)
        skip("between processes the fastest wins");
    is(put(board, 0, CORD_NOWAIT), 0);
    for (int i = 0; i < 5; i++)
        tasks[i] = waiter(board, put_one, i + 1);
    for (int i = 0; i < 6; i++)
        is(get(board, soon()), i);
    for (int i = 0; i < 5; i++)
        join(tasks[i], 0);
    is(get(board, CORD_NOWAIT), -EAGAIN);
    teardown(board);
}

MODE_TEST(queue_get_cancelled_loses_no_item)
{
    struct board *board = setup(2);
    cord_task *first = waiter(board, get_one, 0), *second = waiter(board, get_one, 0);
    cord_task_cancel(first);
    join(first, -ECANCELED);
    is(put(board, 41, CORD_NOWAIT), 0);
    join(second, 41);
    is(put(board, 42, CORD_NOWAIT), 0);
    is(get(board, CORD_NOWAIT), 42);
    teardown(board);
}
ALSO_SHARED(queue_get_cancelled_loses_no_item)

MODE_TEST(queue_put_cancelled_puts_nothing)
{
    struct board *board = setup(1);
    is(put(board, 1, CORD_NOWAIT), 0);
    cord_task *first = waiter(board, put_one, 2), *second = waiter(board, put_one, 3);
    cord_task_cancel(first);
    join(first, -ECANCELED);
    is(get(board, soon()), 1);
    join(second, 0);
    is(get(board, soon()), 3);
    is(get(board, CORD_NOWAIT), -EAGAIN);
    teardown(board);
}
ALSO_SHARED(queue_put_cancelled_puts_nothing)

MODE_TEST(queue_waiters_that_time_out_leave_no_trace)
{
    struct board *board = setup(1);
    cord_task *tasks[3];
    board->deadline = cord_in(50 * CORD_MILLISECOND);
    for (int i = 0; i < 3; i++)
        tasks[i] = start(get_one, &(struct job){ board, 0, 0 }, sizeof(struct job));
    for (int i = 0; i < 3; i++)
        join(tasks[i], -ETIMEDOUT);
    is(put(board, 7, CORD_NOWAIT), 0);
    board->deadline = cord_in(50 * CORD_MILLISECOND);
    for (int i = 0; i < 3; i++)
        tasks[i] = start(put_one, &(struct job){ board, 8 + i, 0 }, sizeof(struct job));
    for (int i = 0; i < 3; i++)
        join(tasks[i], -ETIMEDOUT);
    is(get(board, CORD_NOWAIT), 7);
    is(get(board, CORD_NOWAIT), -EAGAIN);
    teardown(board);
}
ALSO_SHARED(queue_waiters_that_time_out_leave_no_trace)

static int get_then_nothing(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    int rc = cord_sleep(10 * CORD_SECOND); /* cancelled here */
    if (rc != -ECANCELED)
        return -EINVAL;
    return get(board, CORD_FOREVER); /* there is an item, and it stays there */
}

MODE_TEST(queue_get_by_a_cancelled_task_takes_nothing)
{
    struct board *board = setup(1);
    is(put(board, 5, CORD_NOWAIT), 0);
    cord_task *task = start(get_then_nothing, &(struct job){ board, 0, 0 }, sizeof(struct job));
    cord_task_cancel(task);
    join(task, -ECANCELED);
    is(get(board, CORD_NOWAIT), 5);
    teardown(board);
}
ALSO_SHARED(queue_get_by_a_cancelled_task_takes_nothing)

MODE_TEST(queue_many_getters_each_get_one)
{
    struct board *board = setup(3);
    static cord_task *tasks[CROWD];
    int many = crowd();
    for (int i = 0; i < many; i++)
        tasks[i] = start(get_one, &(struct job){ board, 0, 0 }, sizeof(struct job));
    for (int i = 0; i < many; i++)
        is(put(board, 0, soon()), 0);
    for (int i = 0; i < many; i++)
        join(tasks[i], 0);
    is(board->got, many);
    is(cord_queue_size(board->queue), 0);
    teardown(board);
}
ALSO_SHARED(queue_many_getters_each_get_one)

static void items_of_size(size_t size, int flag)
{
    cord_queue *queue = NULL;
    unsigned char *in = malloc(size), *out = malloc(size);
    ok(cord_queue_new(&queue, size, 3, flag));
    for (int round = 0; round < 7; round++) {
        memset(in, 'a' + round, size);
        memset(out, 0, size);
        is(cord_queue_put(queue, in, CORD_NOWAIT), 0);
        is(cord_queue_get(queue, out, CORD_NOWAIT), 0);
        ck_assert_mem_eq(in, out, size);
    }
    cord_queue_free(queue);
    free(in);
    free(out);
}

PLAIN_TEST(queue_items_of_any_size_come_out_whole)
{
    for (int flag = 0; flag <= CORD_SHARED; flag += CORD_SHARED) {
        items_of_size(1, flag);
        items_of_size(3, flag);
        items_of_size(4096, flag);
        items_of_size(100001, flag);
    }
}

PLAIN_TEST(queue_new_without_size_or_memory_fails)
{
    cord_queue *queue = NULL;
    is(cord_queue_new(&queue, 1, 0, 0), -EINVAL);
    is(cord_queue_new(&queue, 1, 0, CORD_SHARED), -EINVAL);
    is(cord_queue_new(&queue, 0, 100, CORD_LIFO), -EINVAL);
    is(cord_queue_new(&queue, 1, 1, 4), -EINVAL);
    is(cord_queue_new(&queue, SIZE_MAX / 2, 3, 0), -ENOMEM);
    if (!under_valgrind()) /* its mmap(2) answers EINVAL */
        is(cord_queue_new(&queue, SIZE_MAX / 4, 1, CORD_SHARED), -ENOMEM);
    ck_assert_ptr_null(queue);
    cord_queue_free(NULL);
}

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

static int join_queue(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    return cord_queue_join(board->queue, board->deadline);
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

/* --- messages --- */

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

/* --- nothing is lost, however waits end --- */

enum { STORM = 200 };

static int storm_put(void *arg)
{
    struct job *job = arg;
    int rc = 0;
    for (int i = 0; i < STORM && rc != -ECANCELED; i++) {
        cord_deadline deadline = i % 4 == 0 ? CORD_NOWAIT : cord_in((i % 5) * 20 * CORD_MICROSECOND);
        struct item item = { job->number, i };
        rc = cord_queue_put(job->board->queue, &item, deadline);
        if (rc == 0)
            atomic_fetch_add(&job->board->seen[job->number][i], 1);
        if (rc == -EAGAIN)
            rc = cord_yield();
    }
    return 0;
}

static int storm_get(void *arg)
{
    struct job *job = arg;
    int rc = 0;
    for (int i = 0; i < STORM && rc != -ECANCELED; i++) {
        cord_deadline deadline = i % 4 == 0 ? CORD_NOWAIT : cord_in((i % 7) * 15 * CORD_MICROSECOND);
        struct item item;
        rc = cord_queue_get(job->board->queue, &item, deadline);
        if (rc == 0)
            atomic_fetch_sub(&job->board->seen[item.producer][item.number], 1);
        if (rc == -EAGAIN)
            rc = cord_yield();
    }
    return 0;
}

static void storm(size_t capacity, cord_kind first, cord_kind last)
{
    struct board *board = setup(capacity);
    cord_task *tasks[2 * SIDES];
    cord_kind kind = first;
    for (int i = 0; i < SIDES; i++, kind = kind == last ? first : kind + 1) {
        struct job job = { board, i, 0 };
        tasks[2 * i] = start_kind(kind, storm_get, &job, sizeof job);
        tasks[2 * i + 1] = start_kind(kind == last ? first : kind + 1, storm_put, &job, sizeof job);
    }
    for (int i = 0; i < 20; i++)
        ok(cord_yield());
    cord_task_cancel(tasks[0]);
    cord_task_cancel(tasks[3]);
    for (int i = 0; i < 2 * SIDES; i++)
        join(tasks[i], 0);
    struct item item;
    size_t left = cord_queue_size(board->queue);
    for (size_t i = 0; i < left; i++) {
        is(cord_queue_get(board->queue, &item, CORD_NOWAIT), 0);
        board->seen[item.producer][item.number]--;
    }
    is(get(board, CORD_NOWAIT), -EAGAIN);
    for (int i = 0; i < SIDES; i++)
        for (int k = 0; k < STORM; k++)
            is(board->seen[i][k], 0);
    teardown(board);
}

MODE_TEST(queue_storm_of_deadlines_and_cancels_conserves_items)
{
    storm(1, mode.kind, mode.kind);
    storm(3, mode.kind, mode.kind);
}
ALSO_SHARED(queue_storm_of_deadlines_and_cancels_conserves_items)

PLAIN_TEST(queue_storm_of_coroutines_and_threads_conserves_items)
{
    for (int round = 0; round < 10; round++)
        storm(1 + (size_t)round % 3, CORD_COROUTINE, CORD_THREAD);
}

/* Coroutines of two loops, and threads. */
static int on_two_loops(void *arg)
{
    struct board *board = setup(3);
    cord_group_options anywhere = { .task.loop = CORD_LOOP_ANY }, threads = { .task.kind = CORD_THREAD };
    cord_group *groups[2];
    (void)arg;
    ok(cord_group_new(&groups[0], &anywhere));
    ok(cord_group_new(&groups[1], &threads));
    for (int i = 0; i < SIDES; i++) {
        struct job job = { board, i, ITEMS };
        ok(cord_group_start(groups[i % 2], consume, &job, sizeof job));
        ok(cord_group_start(groups[(i + 1) % 2], produce, &job, sizeof job));
    }
    ok(cord_group_join(groups[0], soon()));
    ok(cord_group_join(groups[1], soon()));
    for (int i = 0; i < SIDES; i++)
        for (int k = 0; k < ITEMS; k++)
            is(board->seen[i][k], 1);
    is(board->out_of_order, 0);
    teardown(board);
    return 0;
}

PLAIN_TEST(queue_of_two_loops_and_threads_conserves_items)
{
    is(cord_run(on_two_loops, NULL, &(cord_run_options){ .loops = 2 }), 0);
}

int main(void)
{
    return run_tests(
        "queue", BOTH(queue_full_and_empty_answer_by_deadline), BOTH(queue_order_is_kept_around_the_ring),
        BOTH(queue_producers_and_consumers_conserve_items), BOTH(queue_of_one_place_conserves_items),
        PLAIN(queue_of_coroutines_and_threads_conserves_items),
        PLAIN(queue_of_coroutines_threads_and_processes_conserves_items),
        MODE(queue_getters_are_served_in_order_of_coming), MODE(queue_putters_are_served_in_order_of_coming),
        BOTH(queue_get_cancelled_loses_no_item), BOTH(queue_put_cancelled_puts_nothing),
        BOTH(queue_waiters_that_time_out_leave_no_trace), BOTH(queue_get_by_a_cancelled_task_takes_nothing),
        BOTH(queue_many_getters_each_get_one), PLAIN(queue_items_of_any_size_come_out_whole),
        PLAIN(queue_new_without_size_or_memory_fails), BOTH(queue_of_each_order_fills_and_empties),
        BOTH(queue_sorted_gives_the_least_and_of_equals_the_oldest),
        BOTH(queue_sort_of_items_that_are_there_lifo_and_messages_fails),
        BOTH(queue_join_ends_when_all_is_done_again_and_again), BOTH(queue_joins_of_many_end_with_the_last_task_done),
        BOTH(queue_join_waits_for_an_item_that_was_handed_over),
        BOTH(queue_shut_down_gives_what_is_there_and_takes_no_more),
        BOTH(queue_shut_down_at_once_drops_what_is_there_and_ends_joins),
        BOTH(queue_shut_down_and_then_at_once_drops_the_rest), BOTH(queue_shut_down_tells_those_who_wait),
        BOTH(queue_crowd_is_told_of_a_shutdown), BOTH(queue_messages_of_any_size_come_out_whole_and_in_order),
        BOTH(queue_message_larger_than_the_buffer_stays_first),
        BOTH(queue_message_larger_than_the_buffer_of_one_who_waits_is_the_next_ones),
        BOTH(queue_message_that_never_fits_fails_at_once),
        BOTH(queue_of_messages_and_of_items_refuse_each_others_calls),
        MODE(queue_putters_of_messages_are_served_in_order_of_coming),
        BOTH(queue_putter_of_a_message_that_leaves_lets_in_the_next),
        BOTH(queue_messages_shut_down_and_done_as_items_are), BOTH(queue_of_messages_conserves_them),
        BOTH(queue_storm_of_deadlines_and_cancels_conserves_items),
        PLAIN(queue_storm_of_coroutines_and_threads_conserves_items),
        PLAIN(queue_of_two_loops_and_threads_conserves_items), END);
}
