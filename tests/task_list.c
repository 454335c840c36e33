/* tests/task_list.c - which tasks there are, their names and their threads. */
#include "waiting.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 200 };

static cord_event go_on = CORD_EVENT_INIT;

struct found {
    int count;
    cord_task_info at[MOST];
};

static struct found *list(void)
{
    static _Thread_local struct found found;
    found.count = cord_task_list(found.at, MOST);
    ck_assert_int_ge(found.count, 1);
    ck_assert_int_le(found.count, MOST);
    return &found;
}

static const cord_task_info *with_name(const struct found *found, const char *name)
{
    for (int i = 0; i < found->count; i++)
        if (strcmp(found->at[i].name, name) == 0)
            return &found->at[i];
    return NULL;
}

static int count_of(const char *name)
{
    const struct found *found = list();
    int count = 0;
    for (int i = 0; i < found->count; i++)
        count += strcmp(found->at[i].name, name) == 0;
    return count;
}

static bool is_gone(void *name)
{
    return count_of(name) == 0;
}

static bool is_there(void *name)
{
    return count_of(name) == 1;
}

static int wait_for_event(void *arg)
{
    (void)arg;
    return cord_event_wait(&go_on, soon());
}

static cord_task *named(cord_fn *fn, const void *arg, size_t size, const char *name, cord_task_options options)
{
    cord_task *task;
    options.name = name;
    ok(cord_task_start(&task, fn, arg, size, &options));
    return task;
}

static int sleep_long(void *arg)
{
    (void)arg;
    return cord_sleep(CORD_HOUR);
}

/* Python: test_enumerate_after_join, test_active_count */
MODE_TEST(list_shows_tasks_of_every_kind_until_they_end)
{
    static const char *const names[] = { "one coroutine", "one thread", "one process" };
    cord_task *tasks[3];
    skip_without_processes();
    for (int kind = CORD_COROUTINE; kind <= CORD_PROCESS; kind++)
        tasks[kind] = named(sleep_long, NULL, 0, names[kind], (cord_task_options){ .kind = (cord_kind)kind });
    for (int kind = CORD_COROUTINE; kind <= CORD_PROCESS; kind++) {
        eventually(is_there, (void *)(uintptr_t)names[kind]);
        eventually(waits, tasks[kind]);
        const cord_task_info *info = with_name(list(), names[kind]);
        is(info->kind, kind);
        is(info->daemon, false);
        is(info->waits, true);
        ck_assert_str_eq(info->what, "a sleep");
        is(info->pid, cord_task_pid(tasks[kind]));
        is(info->thread_id, cord_task_thread_id(tasks[kind]));
        ck_assert_int_gt(info->thread_id, 0);
    }
    int all = list()->count;
    for (int kind = CORD_COROUTINE; kind <= CORD_PROCESS; kind++) {
        cord_task_cancel(tasks[kind]);
        ok(cord_task_join(tasks[kind], soon(), NULL));
        is(count_of(names[kind]), 0);
        is(cord_task_thread_id(tasks[kind]), 0);
        cord_task_free(tasks[kind]);
    }
    ck_assert_int_le(list()->count, all - 3);
}

MODE_TEST(list_shows_who_calls_as_one_that_runs)
{
    const char *own = cord_task_name(cord_task_self());
    const struct found *found = list();
    bool runs = false;
    for (int i = 0; i < found->count; i++)
        if (strcmp(found->at[i].name, own) == 0 && found->at[i].kind == cord_task_kind(cord_task_self())) {
            is(found->at[i].waits, false);
            is(found->at[i].thread_id, gettid());
            is(found->at[i].pid, getpid());
            runs = true;
        }
    is(runs, true);
    if (mode.kind != CORD_PROCESS) {
        const cord_task_info *main_thread = with_name(found, "main");
        ck_assert_ptr_nonnull(main_thread);
        is(main_thread->kind, CORD_THREAD);
        is(main_thread->thread_id, getpid());
    }
}

MODE_TEST(list_tells_the_number_where_there_is_no_room)
{
    cord_task_info one = { .name = "untouched" };
    int all = cord_task_list(NULL, 0);
    ck_assert_int_ge(all, 1);
    is(cord_task_list(&one, 1), all);
    ck_assert_str_ne(one.name, "untouched");
}

struct foreigner {
    char name[32];
    _Atomic bool named;
};

static void *as_foreigner(void *arg)
{
    char name[32];
    snprintf(name, sizeof name, "%s", cord_task_name(cord_task_self()));
    ck_assert_msg(strncmp(name, "foreign-", 8) == 0, "%s", name);
    is(cord_task_thread_id(cord_task_self()), gettid());
    const cord_task_info *info = with_name(list(), name);
    ck_assert_ptr_nonnull(info);
    is(info->kind, CORD_THREAD);
    is(info->thread_id, gettid());
    struct foreigner *self = arg;
    memcpy(self->name, name, sizeof name);
    self->named = true;
    wait_for_event(NULL);
    return NULL;
}

/* Python: test_foreign_thread, test_enumerate */
MODE_TEST(list_shows_threads_of_others_once_they_have_called)
{
    pthread_t threads[2];
    static struct foreigner foreigners[2];
    cord_event_clear(&go_on);
    for (int i = 0; i < 2; i++) {
        foreigners[i].named = false;
        is(pthread_create(&threads[i], NULL, as_foreigner, &foreigners[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        while (!foreigners[i].named || !with_name(list(), foreigners[i].name)->waits)
            ok(cord_sleep(CORD_MILLISECOND));
        ck_assert_str_eq(with_name(list(), foreigners[i].name)->what, "an event");
    }
    ck_assert_str_ne(foreigners[0].name, foreigners[1].name);
    cord_event_set(&go_on);
    for (int i = 0; i < 2; i++) {
        is(pthread_join(threads[i], NULL), 0);
        is(count_of(foreigners[i].name), 0);
    }
}

/* --- several loops --- */

static int list_from_its_loop(void *arg)
{
    _Atomic int *seen = *(_Atomic int **)arg;
    for (int i = 0; i < 50; i++) {
        const struct found *found = list();
        ck_assert_ptr_nonnull(with_name(found, "sleeper"));
        ck_assert_ptr_nonnull(with_name(found, "main"));
        ok(cord_yield());
    }
    return atomic_fetch_add(seen, 1);
}

static int two_loops(void *arg)
{
    static _Atomic int seen;
    _Atomic int *place = &seen;
    cord_task *tasks[4], *sleepers[2];
    (void)arg;
    sleepers[0] = named(sleep_long, NULL, 0, "sleeper", (cord_task_options){ .loop = CORD_LOOP_HERE });
    for (int i = 0; i < 4; i++) /* they ask each other */
        tasks[i] = named(list_from_its_loop, &place, sizeof place, NULL, (cord_task_options){ .loop = CORD_LOOP_ANY });
    for (int i = 0; i < 4; i++) {
        cord_outcome out;
        ok(cord_task_join(tasks[i], CORD_FOREVER, &out));
        ck_assert_int_ge(out.value, 0);
        cord_task_free(tasks[i]);
    }
    sleepers[1] = named(sleep_long, NULL, 0, "unstarted", (cord_task_options){ .loop = CORD_LOOP_ANY });
    is(count_of("unstarted"), 1);
    eventually(waits, sleepers[1]);
    is(count_of("unstarted"), 1);
    ck_assert_int_gt(cord_task_thread_id(sleepers[1]), 0);
    for (int i = 0; i < 2; i++) {
        cord_task_cancel(sleepers[i]);
        cord_task_free(sleepers[i]);
    }
    return 0;
}

PLAIN_TEST(list_asks_other_loops_which_ask_back)
{
    int64_t begun = cord_now();
    ok(cord_run(two_loops, NULL, &(cord_run_options){ .loops = 2 }));
    ck_assert_int_lt(cord_now() - begun, 10 * CORD_SECOND * slow());
}

static _Atomic bool let_go;

static int compute(void *arg)
{
    (void)arg;
    while (!let_go) {
    }
    return 0;
}

PLAIN_TEST(list_leaves_out_a_loop_that_does_not_come_round)
{
    cord_task *waiter = named(sleep_long, NULL, 0, "waiter", (cord_task_options){ 0 });
    eventually(is_there, (void *)(uintptr_t) "waiter");
    cord_task *busy = named(compute, NULL, 0, "busy", (cord_task_options){ 0 });
    eventually(is_gone, (void *)(uintptr_t) "waiter"); /* the background loop has begun to compute */
    int64_t begun = cord_now();
    ck_assert_ptr_nonnull(with_name(list(), "main"));
    ck_assert_int_ge(cord_now() - begun, 150 * CORD_MILLISECOND);
    let_go = true;
    eventually(is_there, (void *)(uintptr_t) "waiter");
    cord_task_cancel(waiter);
    join(busy, 0);
    cord_task_free(waiter);
}

static void *list_often(void *arg)
{
    for (int i = 0; i < 100; i++)
        ck_assert_ptr_nonnull(with_name(list(), "sleeper"));
    return arg;
}

PLAIN_TEST(list_asked_by_many_threads_at_once_misses_nobody)
{
    pthread_t threads[4];
    cord_task *sleeper = named(sleep_long, NULL, 0, "sleeper", (cord_task_options){ 0 });
    for (int i = 0; i < 4; i++)
        is(pthread_create(&threads[i], NULL, list_often, NULL), 0);
    for (int i = 0; i < 4; i++)
        is(pthread_join(threads[i], NULL), 0);
    cord_task_cancel(sleeper);
    ok(cord_task_join(sleeper, soon(), NULL));
    cord_task_free(sleeper);
}

/* --- threads --- */

static int tell_about_its_thread(void *arg)
{
    char name[32];
    pthread_attr_t attributes;
    void *low;
    size_t size;
    is(cord_task_thread_id(cord_task_self()), gettid());
    if (mode.kind != CORD_THREAD)
        return 0;
    is(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    ck_assert_str_eq(name, "fifteen letters"); /* the kernel has room for no more */
    is(pthread_getattr_np(pthread_self(), &attributes), 0);
    is(pthread_attr_getstack(&attributes, &low, &size), 0);
    pthread_attr_destroy(&attributes);
    ck_assert_int_ge((long)size, *(long *)arg);
    ck_assert_int_lt((long)size, *(long *)arg + 300000);
    return 0;
}

/* Python: test_native_id, test_stack_size; the name of the thread in the kernel */
MODE_TEST(thread_has_the_number_name_and_stack_it_should_have)
{
    for (long size = 262144; size <= 2097152; size *= 8)
        join(named(tell_about_its_thread, &size, sizeof size, "fifteen letters and some",
                   (cord_task_options){ .kind = mode.kind, .stack_size = (size_t)size }),
             0);
}

static int tell_own_name(void *arg)
{
    return strcmp(cord_task_name(cord_task_self()), arg);
}

MODE_TEST(self_is_the_task_that_was_started)
{
    join(named(tell_own_name, "its own", 8, "its own", (cord_task_options){ .kind = mode.kind }), 0);
}

int main(void)
{
    return run_tests(
        "task_list", MODE(list_shows_tasks_of_every_kind_until_they_end), MODE(list_shows_who_calls_as_one_that_runs),
        MODE(list_tells_the_number_where_there_is_no_room), MODE(list_shows_threads_of_others_once_they_have_called),
        PLAIN(list_asks_other_loops_which_ask_back), PLAIN(list_leaves_out_a_loop_that_does_not_come_round),
        PLAIN(list_asked_by_many_threads_at_once_misses_nobody),
        MODE(thread_has_the_number_name_and_stack_it_should_have), MODE(self_is_the_task_that_was_started), END);
}
