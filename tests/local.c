/* tests/local.c - values local to a task, in every kind. */
#include "waiting.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

enum { TASKS = 20 };

static _Atomic int *ends; /* of values, in shared memory */

static int count_end(void *value)
{
    return atomic_fetch_add(ends, *(int *)value);
}

static cord_task_local counter = { sizeof(int), NULL };
static cord_task_local big = { 5000, NULL };
static cord_task_local ended = { sizeof(int), count_end };

static int *mine(void)
{
    int *value = cord_task_local_get(&counter);
    ck_assert_ptr_nonnull(value);
    return value;
}

static int count_alone(void *arg)
{
    int *value = mine();
    is(*value, 0);
    for (int i = 0; i < *(int *)arg; i++) {
        ck_assert_ptr_eq(mine(), value);
        ++*mine();
        ok(cord_yield());
    }
    return *value;
}

/* Python: test_local, test_threading_local */
MODE_TEST(each_task_has_its_own_value_zeroed_at_first)
{
    cord_task *tasks[TASKS];
    *mine() = 1000;
    for (int i = 0; i < TASKS; i++)
        tasks[i] = start(count_alone, &i, sizeof i);
    for (int i = 0; i < TASKS; i++)
        join(tasks[i], i);
    is(*mine(), 1000);
}

MODE_TEST(values_of_several_keys_are_apart_and_aligned)
{
    char *bytes = cord_task_local_get(&big);
    is((uintptr_t)bytes % _Alignof(max_align_t), 0);
    for (int i = 0; i < 5000; i++)
        is(bytes[i], 0);
    memset(bytes, 1, 5000);
    is(*mine(), 0);
    *mine() = 3;
    is(bytes[4999], 1);
    ck_assert_ptr_eq(cord_task_local_get(&big), bytes);
}

static int set_five(void *arg)
{
    (void)arg;
    int *value = cord_task_local_get(&ended);
    *value += 5;
    return ended.size == sizeof(int) ? 0 : -1;
}

static int answer_in_words(void *arg)
{
    (void)arg;
    set_five(NULL);
    return cord_kind_parse(&(cord_kind){ 0 }, "nonsense");
}

MODE_TEST(end_runs_once_for_each_task_that_had_a_value)
{
    void *shared;
    ok(cord_shared_new(&shared, sizeof *ends));
    ends = shared;
    for (int i = 0; i < TASKS; i++) {
        cord_task *task = start(set_five, NULL, 0);
        join(task, 0);
        is(*ends, 5 * (i + 1)); /* before its end is known */
    }
    cord_task *without = start(count_alone, &(int){ 3 }, sizeof(int));
    join(without, 3);
    is(*ends, 5 * TASKS);
    cord_shared_free(shared);
}

static int fail_too(void *value)
{
    (void)value;
    return cord_task_join(cord_task_self(), CORD_FOREVER, NULL);
}

MODE_TEST(end_leaves_the_tasks_own_failure_alone)
{
    void *shared;
    ok(cord_shared_new(&shared, sizeof *ends));
    ends = shared;
    ended.end = fail_too;
    cord_task *task = start(answer_in_words, NULL, 0);
    cord_outcome out;
    ok(cord_task_join(task, soon(), &out));
    is(out.value, -EINVAL);
    ck_assert_ptr_nonnull(strstr(out.error, "kind \"nonsense\""));
    cord_task_free(task);
    cord_shared_free(shared);
}

static cord_task_local first = { sizeof(int), NULL };

static int use_another(void *value)
{
    ck_assert_ptr_eq(cord_task_local_get(&first), value); /* it is still there */
    int *other = cord_task_local_get(&ended);
    is(*other, 0);
    *other = 2;
    return 0;
}

static int leave_one_that_makes_another(void *arg)
{
    (void)arg;
    return *(int *)cord_task_local_get(&first);
}

MODE_TEST(end_may_use_other_values_which_end_too)
{
    void *shared;
    ok(cord_shared_new(&shared, sizeof *ends));
    ends = shared;
    first.end = use_another;
    join(start(leave_one_that_makes_another, NULL, 0), 0);
    is(*ends, 2);
    cord_shared_free(shared);
}

static int use_in_place(void *arg)
{
    is(*mine(), 0);
    *mine() = 1;
    (void)arg;
    return set_five(NULL);
}

MODE_TEST(a_serial_task_has_values_of_its_own)
{
    cord_task *task;
    void *shared;
    ok(cord_shared_new(&shared, sizeof *ends));
    ends = shared;
    *mine() = 8;
    ok(cord_task_start(&task, use_in_place, NULL, 0, &(cord_task_options){ .kind = CORD_SERIAL }));
    join(task, 0);
    is(*mine(), 8);
    is(*ends, 5);
    cord_shared_free(shared);
}

static void *as_foreigner(void *arg)
{
    is(*mine(), 0);
    *mine() = 4;
    set_five(NULL);
    return arg;
}

MODE_TEST(a_thread_of_others_has_values_until_it_ends)
{
    pthread_t thread;
    void *shared;
    ok(cord_shared_new(&shared, sizeof *ends));
    ends = shared;
    is(pthread_create(&thread, NULL, as_foreigner, NULL), 0);
    is(pthread_join(thread, NULL), 0);
    is(*ends, 5);
    cord_shared_free(shared);
}

static int see_none(void *arg)
{
    (void)arg;
    return *mine();
}

MODE_TEST(a_child_process_begins_with_none)
{
    cord_task *task;
    skip_without_processes();
    *mine() = 6;
    ok(cord_task_start(&task, see_none, NULL, 0, &(cord_task_options){ .kind = CORD_PROCESS }));
    join(task, 0);
}

int main(void)
{
    return run_tests("local", MODE(each_task_has_its_own_value_zeroed_at_first),
                     MODE(values_of_several_keys_are_apart_and_aligned),
                     MODE(end_runs_once_for_each_task_that_had_a_value), MODE(end_leaves_the_tasks_own_failure_alone),
                     MODE(end_may_use_other_values_which_end_too), MODE(a_serial_task_has_values_of_its_own),
                     MODE(a_thread_of_others_has_values_until_it_ends), MODE(a_child_process_begins_with_none), END);
}
