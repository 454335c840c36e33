/* tests/event.c - the event, local and shared, in every kind. In brackets: the scenario's name in CPython's
 * lock_tests.py. */
#include "waiting.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { ROUNDS = 300 };

struct board {
    cord_event *event, *answer;
    _Atomic int woken;
    cord_deadline deadline;
};

static struct board *setup(void)
{
    struct board *board = board_new(sizeof *board);
    ok(cord_event_new(&board->event, flags()));
    ok(cord_event_new(&board->answer, flags()));
    return board;
}

static void teardown(struct board *board)
{
    if (!flags())
        ck_assert_uint_le(board->event->word, 1); /* no waiter left a trace */
    cord_event_free(board->event);
    cord_event_free(board->answer);
    cord_shared_free(board);
}

static int wait_for_it(void *arg)
{
    struct board *board = *(struct board **)arg;
    int rc = cord_event_wait(board->event, board->deadline);
    if (rc == 0)
        atomic_fetch_add(&board->woken, 1);
    return rc;
}

static cord_task *waiter(struct board *board)
{
    cord_task *task = start(wait_for_it, &board, sizeof board);
    eventually(waits, task);
    return task;
}

/* [EventTests.test_is_set, test_timeout] */
MODE_TEST(event_set_lets_wait_pass_until_clear)
{
    struct board *board = setup();
    is(cord_event_is_set(board->event), false);
    is(cord_event_wait(board->event, CORD_NOWAIT), -EAGAIN);
    is(cord_event_wait(board->event, cord_in(0)), -ETIMEDOUT);
    is(cord_event_wait(board->event, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "event"));
    cord_event_set(board->event);
    cord_event_set(board->event);
    is(cord_event_is_set(board->event), true);
    is(cord_event_wait(board->event, CORD_NOWAIT), 0);
    is(cord_event_wait(board->event, cord_in(0)), 0);
    is(cord_event_wait(board->event, CORD_FOREVER), 0);
    cord_event_clear(board->event);
    is(cord_event_is_set(board->event), false);
    is(cord_event_wait(board->event, CORD_NOWAIT), -EAGAIN);
    teardown(board);
}
ALSO_SHARED(event_set_lets_wait_pass_until_clear)

/* [EventTests.test_set_and_clear] */
MODE_TEST(event_set_then_clear_wakes_all_who_wait)
{
    struct board *board = setup();
    cord_task *tasks[5];
    for (int i = 0; i < 5; i++)
        tasks[i] = waiter(board);
    cord_event_set(board->event);
    cord_event_clear(board->event);
    for (int i = 0; i < 5; i++)
        join(tasks[i], 0);
    is(board->woken, 5);
    is(cord_event_wait(board->event, CORD_NOWAIT), -EAGAIN);
    teardown(board);
}
ALSO_SHARED(event_set_then_clear_wakes_all_who_wait)

/* [EventTests.test_notify] */
MODE_TEST(event_many_waiters_all_wake)
{
    struct board *board = setup();
    static cord_task *tasks[CROWD];
    int many = crowd();
    for (int i = 0; i < many; i++)
        tasks[i] = start(wait_for_it, &board, sizeof board);
    for (int i = 0; i < many; i++)
        eventually(waits, tasks[i]);
    cord_event_set(board->event);
    cord_event_clear(board->event);
    for (int i = 0; i < many; i++)
        join(tasks[i], 0);
    is(board->woken, many);
    teardown(board);
}
ALSO_SHARED(event_many_waiters_all_wake)

static int answer_each(void *arg)
{
    struct board *board = *(struct board **)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int rc = cord_event_wait(board->event, CORD_FOREVER);
        if (rc < 0)
            return rc;
        cord_event_clear(board->event);
        cord_event_set(board->answer);
    }
    return 0;
}

MODE_TEST(event_tight_rounds_lose_no_set)
{
    struct board *board = setup();
    cord_task *task = start(answer_each, &board, sizeof board);
    for (int i = 0; i < ROUNDS; i++) {
        cord_event_set(board->event);
        is(cord_event_wait(board->answer, soon()), 0);
        cord_event_clear(board->answer);
    }
    join(task, 0);
    teardown(board);
}
ALSO_SHARED(event_tight_rounds_lose_no_set)

static int count_sets(void *arg)
{
    struct board *board = *(struct board **)arg;
    for (int i = 0; i < 50; i++) {
        int rc = cord_event_wait(board->event, CORD_FOREVER);
        if (rc < 0)
            return rc;
        atomic_fetch_add(&board->woken, 1);
    }
    return 0;
}

/* Set and clear in a tight loop while waiters come and go: each of their waits must end. */
MODE_TEST(event_tight_set_and_clear_wakes_those_who_come_and_go)
{
    struct board *board = setup();
    cord_task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = start(count_sets, &board, sizeof board);
    int64_t end = soon().at;
    while (atomic_load(&board->woken) < 4 * 50 && cord_now() < end) {
        cord_event_set(board->event);
        cord_event_clear(board->event);
        ok(cord_yield());
    }
    for (int i = 0; i < 4; i++)
        join(tasks[i], 0);
    is(board->woken, 4 * 50);
    teardown(board);
}
ALSO_SHARED(event_tight_set_and_clear_wakes_those_who_come_and_go)

MODE_TEST(event_wait_cancelled_leaves_the_others_waiting)
{
    struct board *board = setup();
    cord_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = waiter(board);
    for (int i = 0; i < 2; i++) { /* the first one, and then another that has become it */
        cord_task_cancel(tasks[i]);
        join(tasks[i], -ECANCELED);
    }
    is(cord_task_status(tasks[2], NULL), CORD_RUNNING);
    cord_event_set(board->event);
    join(tasks[2], 0);
    teardown(board);
}
ALSO_SHARED(event_wait_cancelled_leaves_the_others_waiting)

static int wait_cancelled(void *arg)
{
    cord_task_cancel(cord_task_self());
    return wait_for_it(arg);
}

MODE_TEST(event_wait_of_one_cancelled_answers_so_though_it_is_set)
{
    struct board *board = setup();
    cord_event_set(board->event);
    join(start(wait_cancelled, &board, sizeof board), -ECANCELED);
    is(board->woken, 0);
    teardown(board);
}
ALSO_SHARED(event_wait_of_one_cancelled_answers_so_though_it_is_set)

MODE_TEST(event_wait_times_out_leaves_no_trace)
{
    struct board *board = setup();
    cord_task *tasks[3];
    board->deadline = cord_in(50 * CORD_MILLISECOND);
    for (int i = 0; i < 3; i++)
        tasks[i] = start(wait_for_it, &board, sizeof board);
    for (int i = 0; i < 3; i++)
        join(tasks[i], -ETIMEDOUT);
    board->deadline = CORD_FOREVER;
    tasks[0] = waiter(board);
    cord_event_set(board->event);
    join(tasks[0], 0);
    teardown(board);
}
ALSO_SHARED(event_wait_times_out_leaves_no_trace)

static void mix(int shared)
{
    sharing = shared;
    struct board *board = setup();
    cord_task *tasks[9];
    int count = 0;
    for (int i = 0; i < 3; i++)
        for (cord_kind kind = CORD_COROUTINE; kind <= (shared ? CORD_PROCESS : CORD_THREAD); kind++)
            tasks[count++] = start_kind(kind, wait_for_it, &board, sizeof board);
    for (int i = 0; i < count; i++)
        eventually(waits, tasks[i]);
    cord_event_set(board->event);
    cord_event_clear(board->event);
    for (int i = 0; i < count; i++)
        join(tasks[i], 0);
    is(board->woken, count);
    teardown(board);
}

PLAIN_TEST(event_of_coroutines_and_threads_wakes_all)
{
    mix(0);
}

PLAIN_TEST(event_of_coroutines_threads_and_processes_wakes_all)
{
    mix(CORD_SHARED);
}

/* Coroutines of several loops and threads wait at once. */
static int mixed_loops(void *arg)
{
    enum { TASKS = 12 };
    struct board *board = *(struct board **)arg;
    cord_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++) {
        cord_task_options how = { .kind = i % 3 == 0 ? CORD_THREAD : CORD_COROUTINE,
                                  .loop = i % 3 == 1 ? CORD_LOOP_ANY : CORD_LOOP_HERE };
        ok(cord_task_start(&tasks[i], wait_for_it, &board, sizeof board, &how));
        eventually(waits, tasks[i]);
    }
    cord_event_set(board->event);
    cord_event_clear(board->event);
    for (int i = 0; i < TASKS; i++)
        join(tasks[i], 0);
    return 0;
}

static void on_loops(const char *backend)
{
    use_backend(backend);
    struct board *board = setup();
    is(cord_run(mixed_loops, &board, &(cord_run_options){ .loops = 3 }), 0);
    is(board->woken, 12);
    teardown(board);
}

PLAIN_TEST(event_of_epoll_loops_and_threads_wakes_all)
{
    on_loops("epoll");
}

PLAIN_TEST(event_of_uring_loops_and_threads_wakes_all)
{
    on_loops("uring");
}

PLAIN_TEST(event_in_own_memory_zeroed_is_ready)
{
    cord_event event = CORD_EVENT_INIT;
    is(cord_event_wait(&event, CORD_NOWAIT), -EAGAIN);
    cord_event_set(&event);
    is(cord_event_wait(&event, CORD_FOREVER), 0);
    ck_assert_uint_eq(sizeof event, 16);
    cord_event_free(NULL);
}

int main(void)
{
    return run_tests(
        "event", BOTH(event_set_lets_wait_pass_until_clear), BOTH(event_set_then_clear_wakes_all_who_wait),
        BOTH(event_many_waiters_all_wake), BOTH(event_tight_rounds_lose_no_set),
        BOTH(event_tight_set_and_clear_wakes_those_who_come_and_go),
        BOTH(event_wait_cancelled_leaves_the_others_waiting),
        BOTH(event_wait_of_one_cancelled_answers_so_though_it_is_set), BOTH(event_wait_times_out_leaves_no_trace),
        PLAIN(event_of_coroutines_and_threads_wakes_all), PLAIN(event_of_coroutines_threads_and_processes_wakes_all),
        PLAIN(event_of_epoll_loops_and_threads_wakes_all), PLAIN(event_of_uring_loops_and_threads_wakes_all),
        PLAIN(event_in_own_memory_zeroed_is_ready), END);
}
