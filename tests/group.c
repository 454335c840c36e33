/* tests/group.c - groups own their tasks, in every kind. */
#include "support.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

static int answer(void *arg)
{
    return *(int *)arg;
}

static int sleep_long(void *arg)
{
    (void)arg;
    return cord_sleep(CORD_HOUR);
}

static int count_up(void *arg)
{
    _Atomic int *count = *(_Atomic int **)arg;
    int rc = cord_sleep(CORD_MILLISECOND);
    (*count)++;
    return rc;
}

static cord_group *new_group(cord_group_options options)
{
    cord_group *group;
    options.task.kind = mode.kind;
    ok(cord_group_new(&group, &options));
    return group;
}

MODE_TEST(join_waits_for_all)
{
    cord_group *group = new_group((cord_group_options){ 0 });
    _Atomic int *count;
    void *shared;
    ok(cord_shared_new(&shared, sizeof *count));
    count = shared;
    for (int i = 0; i < 20; i++)
        ok(cord_group_start(group, count_up, &count, sizeof count));
    is(cord_group_join(group, soon()), 0);
    is(*count, 20);
    cord_shared_free(shared);
}

MODE_TEST(join_of_an_empty_group_is_done)
{
    is(cord_group_join(new_group((cord_group_options){ 0 }), CORD_NOWAIT), 0);
    is(cord_group_join(NULL, CORD_FOREVER), 0);
    cord_group_free(new_group((cord_group_options){ 0 }));
    cord_group_free(NULL);
}

static int fail_in_words(void *arg)
{
    cord_span span;
    (void)arg;
    return cord_span_parse(&span, "soon");
}

MODE_TEST(the_first_failure_cancels_the_others_and_is_the_answer)
{
    cord_group *group = new_group((cord_group_options){ 0 });
    for (int i = 0; i < 3; i++)
        ok(cord_group_start(group, sleep_long, NULL, 0));
    ok(cord_group_start(group, fail_in_words, NULL, 0));
    is(cord_group_join(group, soon()), -EINVAL);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "\"soon\" is no length of time"));
}

MODE_TEST(keep_going_lets_the_others_finish)
{
    cord_group *group = new_group((cord_group_options){ .keep_going = true });
    _Atomic int *count;
    void *shared;
    ok(cord_shared_new(&shared, sizeof *count));
    count = shared;
    ok(cord_group_start(group, fail_in_words, NULL, 0));
    for (int i = 0; i < 5; i++)
        ok(cord_group_start(group, count_up, &count, sizeof count));
    is(cord_group_join(group, soon()), -EINVAL);
    is(*count, 5);
    cord_shared_free(shared);
}

MODE_TEST(join_deadline_leaves_the_group_alive)
{
    cord_group *group = new_group((cord_group_options){ 0 });
    ok(cord_group_start(group, sleep_long, NULL, 0));
    is(cord_group_join(group, CORD_NOWAIT), -EAGAIN);
    is(cord_group_join(group, cord_in(CORD_MILLISECOND)), -ETIMEDOUT);
    cord_group_cancel(group);
    is(cord_group_start(group, sleep_long, NULL, 0), -ECANCELED);
    is(cord_group_join(group, soon()), 0); /* being cancelled is no failure */
}

MODE_TEST(timeout_cancels_the_tasks_and_answers_etimedout)
{
    cord_group *group = new_group((cord_group_options){ .timeout = CORD_MILLISECOND });
    int rc = cord_group_start(group, sleep_long, NULL, 0);
    ck_assert(rc == 0 || rc == -ETIMEDOUT); /* the time may be up before it starts */
    is(cord_group_join(group, soon()), -ETIMEDOUT);
}

struct gauge {
    _Atomic int running, most;
};

static int measure(void *arg)
{
    struct gauge *gauge = *(struct gauge **)arg;
    int now = ++gauge->running, most = gauge->most;
    while (now > most && !atomic_compare_exchange_weak(&gauge->most, &most, now)) {
    }
    int rc = cord_sleep(2 * CORD_MILLISECOND);
    gauge->running--;
    return rc;
}

MODE_TEST(max_running_bounds_what_runs)
{
    cord_group *group = new_group((cord_group_options){ .max_running = 3 });
    struct gauge *gauge;
    void *shared;
    ok(cord_shared_new(&shared, sizeof *gauge));
    gauge = shared;
    for (int i = 0; i < 12; i++)
        ok(cord_group_start(group, measure, &gauge, sizeof gauge));
    is(cord_group_join(group, soon()), 0);
    ck_assert_int_le(gauge->most, 3);
    ck_assert_int_ge(gauge->most, 1);
    cord_shared_free(shared);
}

MODE_TEST(free_ends_what_runs)
{
    cord_group *group = new_group((cord_group_options){ .grace = 50 * CORD_MILLISECOND });
    for (int i = 0; i < 4; i++)
        ok(cord_group_start(group, sleep_long, NULL, 0));
    cord_group_free(group);
}

static int abandon(void *arg)
{
    cord_group *group = new_group((cord_group_options){ 0 });
    (void)arg;
    int rc = cord_group_start(group, sleep_long, NULL, 0);
    if (rc == 0)
        rc = cord_group_join(group, CORD_FOREVER);
    cord_group_free(group);
    return rc == -ECANCELED ? 5 : -EPROTO;
}

MODE_TEST(a_cancelled_join_leaves_the_group_to_be_freed)
{
    cord_task_options options = { .kind = mode.kind };
    cord_task *task;
    cord_outcome out;
    ok(cord_task_start(&task, abandon, NULL, 0, &options));
    cord_task_cancel(task);
    ok(cord_task_join(task, soon(), &out));
    ck_assert_msg(out.value == 5 || out.value == -ECANCELED, "%d: %s", out.value, out.error);
    cord_task_free(task);
}

static int many(void *arg)
{
    cord_group *group = new_group((cord_group_options){ .max_running = *(unsigned *)arg });
    for (int i = 0; i < 200; i++)
        ok(cord_group_start(group, answer, &(int){ 0 }, sizeof(int)));
    return cord_group_join(group, soon());
}

MODE_TEST(groups_within_groups)
{
    if (mode.kind == CORD_PROCESS)
        skip("two hundred processes in each of four say nothing new");
    cord_group *group = new_group((cord_group_options){ 0 });
    for (unsigned i = 0; i < 4; i++)
        ok(cord_group_start(group, many, &(unsigned){ i * 2 }, sizeof(unsigned)));
    is(cord_group_join(group, soon()), 0);
}

/* ---- stacks ---- */

static uintptr_t stacks[256];
static int stack_count;

/* Notes the stack it runs on, if that is a new one; never waits. */
static int note_stack(void *arg)
{
    (void)arg;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) / (64 * 1024);
    for (int i = 0; i < stack_count; i++)
        if (stacks[i] == here)
            return 0;
    if (stack_count < 256)
        stacks[stack_count++] = here;
    return 0;
}

static int bursts(void *arg)
{
    (void)arg;
    cord_group *group;
    ok(cord_group_new(&group, NULL));
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 16; i++)
            ok(cord_group_start(group, note_stack, NULL, 0));
        ok(cord_yield());
    }
    return cord_group_join(group, CORD_FOREVER);
}

/* Coroutines that are ready together, and end without ever having waited, go straight from one to the next. */
PLAIN_TEST(bursts_of_coroutines_use_the_same_stacks_again)
{
    is(cord_run(bursts, NULL, NULL), 0);
    ck_assert_int_le(stack_count, 64);
}

int main(void)
{
    return run_tests("group", MODE(join_waits_for_all), MODE(join_of_an_empty_group_is_done),
                     MODE(the_first_failure_cancels_the_others_and_is_the_answer),
                     MODE(keep_going_lets_the_others_finish), MODE(join_deadline_leaves_the_group_alive),
                     MODE(timeout_cancels_the_tasks_and_answers_etimedout), MODE(max_running_bounds_what_runs),
                     MODE(free_ends_what_runs), MODE(a_cancelled_join_leaves_the_group_to_be_freed),
                     MODE(groups_within_groups), PLAIN(bursts_of_coroutines_use_the_same_stacks_again), END);
}
