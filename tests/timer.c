/* tests/timer.c - timers that run once and again and again, in every kind. */
#include "waiting.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { TICK = 20 * CORD_MILLISECOND };

/* What functions of every kind write to. */
struct board {
    _Atomic int calls, pid, thread;
    _Atomic bool begun, go_on;
    _Atomic int64_t times[8];
    int answer;
};

static struct board *setup(void)
{
    return board_new(sizeof(struct board));
}

static int note(void *arg)
{
    struct board *board = arg;
    int call = atomic_fetch_add(&board->calls, 1);
    board->times[call % 8] = cord_now();
    board->pid = getpid();
    board->thread = gettid();
    return board->answer;
}

/* Its call ends when the test says so. */
static int linger(void *arg)
{
    struct board *board = arg;
    note(arg);
    board->begun = true;
    while (!board->go_on)
        ok(cord_sleep(CORD_MILLISECOND));
    return 9;
}

static cord_timer *timer(cord_fn *fn, void *arg, cord_span after, cord_span every)
{
    cord_timer *timer = NULL;
    cord_timer_options options = { .after = after, .every = every, .task.kind = mode.kind };
    ok(cord_timer_start(&timer, fn, arg, 0, &options));
    return timer;
}

static bool is_true(void *flag)
{
    return *(_Atomic bool *)flag;
}

static bool called_three_times(void *arg)
{
    return ((struct board *)arg)->calls >= 3;
}

static int threads(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/task");
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count - 2;
}

MODE_TEST(timer_runs_once_when_its_time_has_come)
{
    struct board *board = setup();
    board->answer = 7;
    int64_t begun = cord_now();
    cord_timer *once = timer(note, board, TICK, 0);
    is(cord_timer_join(once, CORD_NOWAIT), -EAGAIN);
    is(cord_timer_join(once, cord_in(0)), -ETIMEDOUT);
    is(cord_timer_join(once, soon()), 7);
    ck_assert_int_ge(board->times[0] - begun, TICK);
    is(board->calls, 1);
    is(cord_timer_runs(once), 1);
    is(cord_timer_join(once, CORD_FOREVER), 7); /* and again */
    is(cord_timer_cancel(once), CORD_TIMER_FIRED);
    is(board->calls, 1);
    cord_timer_free(once);
    cord_shared_free(board);
}

MODE_TEST(timer_without_a_span_runs_at_once)
{
    struct board *board = setup();
    cord_timer *now = timer(note, board, 0, 0), *past = timer(note, board, -CORD_HOUR, 0);
    is(cord_timer_join(now, soon()), 0);
    is(cord_timer_join(past, soon()), 0);
    is(board->calls, 2);
    cord_timer_free(now);
    cord_timer_free(past);
    cord_shared_free(board);
}

MODE_TEST(timer_function_runs_as_the_kind_says)
{
    struct board *board = setup();
    cord_timer *once = timer(note, board, 0, 0);
    ok(cord_timer_join(once, soon()));
    is(board->pid == getpid(), mode.kind != CORD_PROCESS);
    if (mode.kind == CORD_COROUTINE)
        is(board->thread, gettid()); /* on the starter's loop */
    else
        ck_assert_int_ne(board->thread, gettid());
    cord_timer_free(once);
    cord_shared_free(board);
}

/* Python: test_init_immutable_default_args; each timer has its own copy. */
static int add_up(void *arg)
{
    struct {
        struct board *board;
        int count;
    } *own = arg;
    own->count++;
    own->board->answer = own->count;
    atomic_fetch_add(&own->board->calls, 1);
    return own->count == 3 ? -ENOSPC : own->count;
}

MODE_TEST(timer_works_on_a_copy_of_its_argument)
{
    struct {
        struct board *board;
        int count;
    } own = { setup(), 0 };
    cord_timer *two[2];
    for (int i = 0; i < 2; i++)
        ok(cord_timer_start(&two[i], add_up, &own, sizeof own, &(cord_timer_options){ .task.kind = mode.kind }));
    for (int i = 0; i < 2; i++) {
        is(cord_timer_join(two[i], soon()), 1);
        cord_timer_free(two[i]);
    }
    is(own.count, 0);
    is(own.board->calls, 2);
    cord_shared_free(own.board);
}

MODE_TEST(timer_cancelled_before_never_runs_and_ends_at_once)
{
    struct board *board = setup();
    int64_t begun = cord_now();
    cord_timer *later = timer(note, board, CORD_HOUR, 0);
    ck_assert_int_ne(cord_timer_join(later, cord_in(CORD_MILLISECOND)), 0);
    is(cord_timer_cancel(later), CORD_TIMER_CANCELLED);
    is(cord_timer_join(later, soon()), 0);
    ck_assert_int_lt(cord_now() - begun, CORD_SECOND * slow());
    is(cord_timer_cancel(later), CORD_TIMER_CANCELLED); /* still true */
    is(cord_timer_runs(later), 0);
    is(board->calls, 0);
    cord_timer_free(later);
    cord_shared_free(board);
}

MODE_TEST(timer_cancelled_while_it_runs_says_so_and_lets_it_run)
{
    for (int again = 0; again < 2; again++) {
        struct board *board = setup();
        cord_timer *runs = timer(linger, board, 0, again ? CORD_MILLISECOND : 0);
        eventually(is_true, &board->begun);
        is(cord_timer_cancel(runs), CORD_TIMER_RUNNING);
        is(cord_timer_cancel(runs), CORD_TIMER_RUNNING);
        is(cord_timer_join(runs, cord_in(CORD_MILLISECOND)), -ETIMEDOUT);
        board->go_on = true;
        is(cord_timer_join(runs, soon()), 9);
        is(cord_timer_cancel(runs), CORD_TIMER_FIRED);
        is(cord_timer_runs(runs), 1);
        is(board->calls, 1);
        cord_timer_free(runs);
        cord_shared_free(board);
    }
}

MODE_TEST(timer_that_repeats_keeps_its_grid_until_it_is_cancelled)
{
    struct board *board = setup();
    int64_t begun = cord_now();
    cord_timer *again = timer(note, board, TICK, 2 * TICK);
    eventually(called_three_times, board);
    int64_t armed = cord_now();
    (void)cord_timer_cancel(again);
    ok(cord_timer_join(again, soon()));
    int calls = board->calls;
    is(cord_timer_runs(again), calls);
    for (int i = 0; i < 3; i++) /* not before its place in the grid, which began before `armed` and after `begun` */
        ck_assert_int_ge(board->times[i] - begun, TICK + i * 2 * TICK);
    ck_assert_int_ge(armed - begun, 5 * TICK);
    ok(cord_sleep(3 * TICK));
    is(board->calls, calls);
    cord_timer_free(again);
    cord_shared_free(board);
}

static int be_late_once(void *arg)
{
    struct board *board = arg;
    if (note(arg) == 0 && board->calls == 1)
        ok(cord_sleep(5 * TICK));
    return 0;
}

MODE_TEST(timer_leaves_out_the_times_that_passed_while_it_ran)
{
    struct board *board = setup();
    int64_t begun = cord_now();
    cord_timer *again = timer(be_late_once, board, 0, 2 * TICK);
    eventually(called_three_times, board);
    (void)cord_timer_cancel(again);
    ok(cord_timer_join(again, soon()));
    ck_assert_int_ge(board->times[1] - begun, 6 * TICK); /* the next place of the grid, and not at once */
    ck_assert_int_ge(board->times[2] - begun, 8 * TICK);
    cord_timer_free(again);
    cord_shared_free(board);
}

MODE_TEST(timer_whose_function_fails_ends_with_its_answer)
{
    struct {
        struct board *board;
        int count;
    } own = { setup(), 2 };
    cord_timer *fails;
    cord_timer_options options = { .every = CORD_MILLISECOND, .task.kind = mode.kind };
    ok(cord_timer_start(&fails, add_up, &own, sizeof own, &options));
    is(cord_timer_join(fails, soon()), -ENOSPC);
    ck_assert_str_eq(cord_error_detail(), "No space left on device");
    is(cord_timer_runs(fails), 1);
    is(cord_timer_cancel(fails), CORD_TIMER_FIRED);
    cord_timer_free(fails);
    cord_shared_free(own.board);
}

MODE_TEST(timer_freed_while_armed_runs_all_the_same)
{
    struct board *board = setup();
    cord_timer_free(timer(linger, board, TICK, 0));
    eventually(is_true, &board->begun);
    board->go_on = true;
    ok(cord_timer_start(NULL, note, board, 0, &(cord_timer_options){ .after = TICK }));
    while (board->calls < 2)
        ok(cord_sleep(CORD_MILLISECOND));
    cord_timer_free(NULL);
    if (mode.kind == CORD_PROCESS)
        ok(cord_sleep(TICK)); /* its task's end is still on the way */
}

MODE_TEST(timer_cancel_and_time_in_a_race_agree)
{
    enum { ROUNDS = 300 };
    int rounds = mode.kind == CORD_PROCESS ? 20 : ROUNDS;
    for (int i = 0; i < rounds; i++) {
        struct board *board = setup();
        cord_timer *race = timer(note, board, i % 20 * CORD_MICROSECOND, 0);
        for (int yields = i % 4; yields > 0; yields--)
            ok(cord_yield());
        cord_timer_end end = cord_timer_cancel(race);
        is(cord_timer_join(race, soon()), 0);
        is(board->calls, end != CORD_TIMER_CANCELLED);
        is(cord_timer_runs(race), end != CORD_TIMER_CANCELLED);
        cord_timer_free(race);
        cord_shared_free(board);
    }
}

MODE_TEST(timer_crowd_needs_no_threads)
{
    static cord_timer *timers[10000];
    static struct board local;
    int many = under_valgrind() || CORDI_TSAN ? 500 : 10000, before = threads();
    local.calls = 0;
    for (int i = 0; i < many; i++) {
        cord_timer_options options = { .after = i % 2 ? CORD_HOUR : CORD_MILLISECOND * (i % 50) };
        ok(cord_timer_start(&timers[i], note, &local, 0, &options));
    }
    ck_assert_int_le(threads() - before, 1 + CORDI_TSAN); /* the background loop's, where there was none */
    for (int i = 1; i < many; i += 2)
        is(cord_timer_cancel(timers[i]), CORD_TIMER_CANCELLED);
    for (int i = 0; i < many; i++) {
        ok(cord_timer_join(timers[i], soon()));
        cord_timer_free(timers[i]);
    }
    is(local.calls, many / 2);
}

MODE_TEST(timer_refuses_what_cannot_start)
{
    int here = 0;
    cord_timer *none = NULL;
    cord_timer_options options = { .after = CORD_HOUR, .task.kind = CORD_PROCESS };
    is(cord_timer_start(&none, note, &here, 0, &options), -EINVAL);
    options.task.kind = (cord_kind)17;
    is(cord_timer_start(&none, note, &here, 0, &options), -EINVAL);
    ck_assert_ptr_null(none);
}

/* --- the end of a run --- */

static struct board *of_run;

static int leave_timers(void *arg)
{
    for (int kind = CORD_COROUTINE; kind <= CORD_SERIAL; kind++) {
        cord_timer *handle;
        cord_timer_options options = { .after = 5 * TICK, .task.kind = (cord_kind)kind };
        ok(cord_timer_start(&handle, note, of_run, 0, &options)); /* waited for */
        cord_timer_free(handle);
        options.task.daemon = true;
        options.after = CORD_HOUR;
        ok(cord_timer_start(&handle, note, of_run, 0, &options)); /* and not */
        cord_timer_free(handle);
        ok(cord_timer_start(NULL, note, of_run, 0, &options));
    }
    return *(int *)arg;
}

static int leave_timers_in_a_thread(void *arg)
{
    cord_task *task;
    ok(cord_task_start(&task, leave_timers, arg, sizeof(int), &(cord_task_options){ .kind = CORD_THREAD }));
    cord_task_free(task);
    return 0;
}

PLAIN_TEST(run_waits_for_timers_and_cancels_daemons)
{
    int zero = 0;
    skip_without_processes();
    of_run = setup();
    int64_t begun = cord_now();
    ok(cord_run(leave_timers, &zero, NULL));
    is(of_run->calls, 4);
    ok(cord_run(leave_timers_in_a_thread, &zero, NULL)); /* these sleep on the background loop */
    is(of_run->calls, 8);
    ck_assert_int_lt(cord_now() - begun, 10 * CORD_SECOND * slow());
    cord_shared_free(of_run);
}

int main(void)
{
    return run_tests("timer", MODE(timer_runs_once_when_its_time_has_come), MODE(timer_without_a_span_runs_at_once),
                     MODE(timer_function_runs_as_the_kind_says), MODE(timer_works_on_a_copy_of_its_argument),
                     MODE(timer_cancelled_before_never_runs_and_ends_at_once),
                     MODE(timer_cancelled_while_it_runs_says_so_and_lets_it_run),
                     MODE(timer_that_repeats_keeps_its_grid_until_it_is_cancelled),
                     MODE(timer_leaves_out_the_times_that_passed_while_it_ran),
                     MODE(timer_whose_function_fails_ends_with_its_answer),
                     MODE(timer_freed_while_armed_runs_all_the_same), MODE(timer_cancel_and_time_in_a_race_agree),
                     SLOW(MODE(timer_crowd_needs_no_threads), 60), MODE(timer_refuses_what_cannot_start),
                     PLAIN(run_waits_for_timers_and_cancels_daemons), END);
}
