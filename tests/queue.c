/* tests/queue.c - the queue, local and shared, in every kind. */
#include "queueing.h"

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
    is(cord_queue_new(&queue, 0, SIZE_MAX, 0), -ENOMEM);
    is(cord_queue_new(&queue, 0, SIZE_MAX, CORD_SHARED), -ENOMEM);
    is(cord_queue_new(&queue, 0, ((size_t)1 << 35) + 1, CORD_SHARED), -ENOMEM);
    is(cord_queue_new(&queue, 1, SIZE_MAX / 9 + 1, CORD_SHARED), -ENOMEM); /* as many numbers and items wrap round */
    ck_assert_ptr_null(queue);
    cord_queue_free(NULL);
}

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
    return run_tests("queue", BOTH(queue_full_and_empty_answer_by_deadline), BOTH(queue_order_is_kept_around_the_ring),
                     BOTH(queue_producers_and_consumers_conserve_items), BOTH(queue_of_one_place_conserves_items),
                     PLAIN(queue_of_coroutines_and_threads_conserves_items),
                     PLAIN(queue_of_coroutines_threads_and_processes_conserves_items),
                     MODE(queue_getters_are_served_in_order_of_coming),
                     MODE(queue_putters_are_served_in_order_of_coming), BOTH(queue_get_cancelled_loses_no_item),
                     BOTH(queue_put_cancelled_puts_nothing), BOTH(queue_waiters_that_time_out_leave_no_trace),
                     BOTH(queue_get_by_a_cancelled_task_takes_nothing), BOTH(queue_many_getters_each_get_one),
                     PLAIN(queue_items_of_any_size_come_out_whole), PLAIN(queue_new_without_size_or_memory_fails),
                     BOTH(queue_storm_of_deadlines_and_cancels_conserves_items),
                     PLAIN(queue_storm_of_coroutines_and_threads_conserves_items),
                     PLAIN(queue_of_two_loops_and_threads_conserves_items), END);
}
