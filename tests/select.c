/* tests/select.c - cord_select(): the first of several things, in every kind; nothing else of the list happens. */
#include "selecting.h"

#include <stdlib.h>

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
    board->deadline = CORD_FOREVER; /* they all wait, however long it takes to start them */
    for (int i = 0; i < many; i++)
        tasks[i] = beside(select_three, board, 0);
    for (int i = 0; i < many; i++)
        eventually(waits, tasks[i]);
    for (int i = 0; i < 5; i++) {
        ok(put(board->a, 1));
        ok(put(board->b, 1));
    }
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

/* --- the semaphore --- */

struct permits {
    cord_sem *sem;
    cord_task *waiter;
};

static int release_when_it_waits(void *arg)
{
    struct permits *permits = arg;
    eventually(waits, permits->waiter);
    return cord_sem_release(permits->sem, 2);
}

MODE_TEST(select_of_a_semaphore_takes_one_permit)
{
    struct board *board = setup(1);
    struct permits permits = { NULL, cord_task_self() };
    int x = -1;
    ok(cord_sem_new(&permits.sem, 1, 0, flags()));
    cord_choice choices[] = { { .get = board->a, .item = &x }, { .sem = permits.sem } };
    is(cord_select(choices, 2, CORD_NOWAIT), 1);
    is(choices[1].result, 0);
    is(cord_sem_value(permits.sem), 0);
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);
    is(cord_select(choices, 2, cord_in(5 * CORD_MILLISECOND)), -ETIMEDOUT);
    cord_task *other = start(release_when_it_waits, &permits, sizeof permits);
    is(cord_select(choices, 2, soon()), 1);
    join(other, 0);
    is(cord_sem_value(permits.sem), 1);
    ok(put(board->a, 6));
    is(cord_select(choices, 2, soon()), 0);
    is(x, 6);
    is(cord_sem_value(permits.sem), 1);
    is(cord_sem_acquire(permits.sem, CORD_NOWAIT), 0);
    other = beside(when_it_waits, board, PUT_A);
    is(cord_select(choices, 2, soon()), 0);
    join(other, 0);
    ok(cord_sem_release(permits.sem, 1)); /* no node is left there that would take it */
    is(cord_sem_value(permits.sem), 1);
    cord_sem_free(permits.sem);
    teardown(board);
}
ALSO_SHARED(select_of_a_semaphore_takes_one_permit)

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

/* Two keep a shared queue's lock busy, so that who selects beside it has to wait for that. */
enum { PERMITS = 300, BULK = 1 << 18 };
struct busy {
    cord_queue *queue;
    cord_sem *sem;
    _Atomic int done;
};

static int put_and_get(void *arg)
{
    struct busy *busy = arg;
    char *bulk = calloc(1, BULK);
    while (bulk != NULL && !atomic_load(&busy->done)) {
        (void)!cord_queue_put(busy->queue, bulk, CORD_NOWAIT);
        (void)!cord_queue_get(busy->queue, bulk, CORD_NOWAIT);
    }
    free(bulk);
    return bulk != NULL ? 0 : -ENOMEM;
}

static int give_permits(void *arg)
{
    struct busy *busy = arg;
    int rc = 0;
    for (int i = 0; i < PERMITS && rc == 0; i++)
        if ((rc = cord_sem_release(busy->sem, 1)) == 0)
            rc = cord_sleep(100 * CORD_MICROSECOND);
    return rc;
}

MODE_TEST(select_beside_a_shared_queue_in_use_loses_no_permit)
{
    struct busy *busy = board_new(sizeof *busy);
    cord_kind kind = mode.kind == CORD_PROCESS ? CORD_PROCESS : CORD_THREAD;
    char *bulk = calloc(1, BULK);
    ok(cord_queue_new(&busy->queue, BULK, 1, CORD_SHARED));
    ok(cord_sem_new(&busy->sem, 0, 0, flags()));
    cord_task *one = start_kind(kind, put_and_get, busy, 0), *other = start_kind(kind, put_and_get, busy, 0);
    cord_task *giver = start_kind(kind, give_permits, busy, 0);
    for (int taken = 0; taken < PERMITS;) {
        cord_choice choices[] = { { .sem = busy->sem }, { .get = busy->queue, .item = bulk } };
        int first = cord_select(choices, 2, soon());
        ok(first);
        taken += first == 0;
    }
    join(giver, 0);
    atomic_store(&busy->done, 1);
    join(one, 0);
    join(other, 0);
    is(cord_sem_value(busy->sem), 0);
    cord_sem_free(busy->sem);
    cord_queue_free(busy->queue);
    cord_shared_free(busy);
    free(bulk);
}
ALSO_SHARED(select_beside_a_shared_queue_in_use_loses_no_permit)

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
        BOTH(select_of_a_semaphore_takes_one_permit), BOTH(select_storm_of_deadlines_and_cancels_conserves_items),
        PLAIN(select_storm_of_coroutines_and_threads_conserves_items),
        BOTH(select_of_two_that_put_and_get_at_once_trades_all), PLAIN(select_of_two_loops_and_threads_conserves_items),
        BOTH(select_beside_a_shared_queue_in_use_loses_no_permit), END);
}
