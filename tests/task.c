/* tests/task.c - starting, joining, cancelling, ending: the same in every kind. */
#include "waiting.h"

#include "sys/ctx.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static cord_task_options of_kind(void)
{
    return (cord_task_options){ .kind = mode.kind };
}

static int answer_seven(void *arg)
{
    (void)arg;
    return 7;
}

static int add_up(void *arg)
{
    const int *numbers = arg;
    return numbers[0] + numbers[1] * 10;
}

static int sleep_long(void *arg)
{
    (void)arg;
    return cord_sleep(CORD_HOUR);
}

static int sleep_twice(void *arg)
{
    int first = cord_sleep(CORD_HOUR), second = cord_sleep(CORD_HOUR);
    (void)arg;
    return first == -ECANCELED && second == -ECANCELED ? 42 : -EPROTO;
}

static int fail_with_words(void *arg)
{
    cord_kind kind;
    (void)arg;
    return cord_kind_parse(&kind, "fibre");
}

static int return_bytes(void *arg)
{
    (void)arg;
    return cord_task_return("hello", 6);
}

static int return_too_much(void *arg)
{
    char bytes[65] = { 0 };
    (void)arg;
    return cord_task_return(bytes, sizeof bytes);
}

MODE_TEST(join_gives_the_value)
{
    cord_task *task = start(answer_seven, NULL, 0);
    join(task, 7);
}

MODE_TEST(arg_size_copies_the_argument)
{
    int numbers[2] = { 3, 4 };
    cord_task *task = start(add_up, numbers, sizeof numbers);
    numbers[0] = numbers[1] = 100;
    join(task, 43);
}

MODE_TEST(join_again_gives_the_same)
{
    cord_task_options options = of_kind();
    cord_task *task;
    cord_outcome out;
    ok(cord_task_start(&task, answer_seven, NULL, 0, &options));
    for (int i = 0; i < 3; i++) {
        ok(cord_task_join(task, soon(), &out));
        is(out.how, CORD_RETURNED);
        is(out.value, 7);
    }
    cord_task_free(task);
}

MODE_TEST(join_deadline_passes_etimedout_and_task_runs_on)
{
    cord_task_options options = of_kind();
    cord_task *task;
    ok(cord_task_start(&task, sleep_long, NULL, 0, &options));
    is(cord_task_join(task, CORD_NOWAIT, NULL), -EAGAIN);
    is(cord_task_join(task, cord_in(CORD_MILLISECOND), NULL), -ETIMEDOUT);
    is(cord_task_status(task, NULL), CORD_RUNNING);
    cord_task_cancel(task);
    ok(cord_task_join(task, soon(), NULL));
    cord_task_free(task);
}

MODE_TEST(cancel_ends_a_sleep)
{
    cord_task_options options = of_kind();
    cord_task *task;
    cord_outcome out;
    ok(cord_task_start(&task, sleep_long, NULL, 0, &options));
    cord_task_cancel(task);
    ok(cord_task_join(task, soon(), &out));
    is(out.how, CORD_CANCELLED);
    is(out.value, -ECANCELED);
    cord_task_free(task);
}

MODE_TEST(cancel_holds_until_the_end)
{
    cord_task_options options = of_kind();
    cord_task *task;
    cord_outcome out;
    ok(cord_task_start(&task, sleep_twice, NULL, 0, &options));
    cord_task_cancel(task);
    ok(cord_task_join(task, soon(), &out));
    is(out.value, 42);
    cord_task_free(task);
}

static int sleep_a_little(void *arg)
{
    (void)arg;
    return cord_sleep(CORD_MILLISECOND);
}

static int shield_then_sleep(void *arg)
{
    cord_task_cancel(cord_task_self());
    int shielded = cord_shield(sleep_a_little, arg), after = cord_sleep(CORD_HOUR);
    return shielded == 0 && after == -ECANCELED ? 1 : -EPROTO;
}

MODE_TEST(shield_holds_cancelling_off)
{
    join(start(shield_then_sleep, NULL, 0), 1);
}

MODE_TEST(failure_comes_with_its_sentence)
{
    cord_task_options options = of_kind();
    cord_task *task;
    cord_outcome out;
    ok(cord_task_start(&task, fail_with_words, NULL, 0, &options));
    ok(cord_task_join(task, soon(), &out));
    is(out.how, CORD_FAILED);
    is(out.value, -EINVAL);
    ck_assert_str_eq(out.error, "kind \"fibre\": choose coroutine, thread, process or serial");
    cord_task_free(task);
}

MODE_TEST(result_bytes_come_back)
{
    cord_task_options options = of_kind();
    cord_task *task;
    char bytes[64];
    options.result_size = sizeof bytes;
    ok(cord_task_start(&task, return_bytes, NULL, 0, &options));
    ok(cord_task_join(task, soon(), NULL));
    is(cord_task_result(task, bytes, sizeof bytes), 6);
    ck_assert_str_eq(bytes, "hello");
    cord_task_free(task);
    ok(cord_task_start(&task, return_too_much, NULL, 0, &options));
    cord_outcome out;
    ok(cord_task_join(task, soon(), &out));
    is(out.value, -EMSGSIZE);
    cord_task_free(task);
}

MODE_TEST(join_itself_edeadlk)
{
    is(cord_task_join(cord_task_self(), CORD_FOREVER, NULL), -EDEADLK);
}

MODE_TEST(a_cancelled_joiner_leaves_the_task_alone)
{
    cord_task_options options = of_kind();
    cord_task *task;
    cord_outcome out;
    ok(cord_task_start(&task, sleep_long, NULL, 0, &options));
    is(cord_task_join(task, cord_in(CORD_MILLISECOND), NULL), -ETIMEDOUT);
    is(cord_task_status(task, &out), CORD_RUNNING);
    cord_task_terminate(task, 0);
    ok(cord_task_join(task, soon(), &out));
    is(out.how, mode.kind == CORD_PROCESS ? CORD_SIGNALED : CORD_CANCELLED);
    cord_task_free(task);
}

struct joiner {
    cord_task *whom;
    _Atomic int *joins;
};

static int join_for_ever(void *arg)
{
    struct joiner *this = arg;
    atomic_store(this->joins, 1);
    return cord_task_join(this->whom, CORD_FOREVER, NULL);
}

/* A process cannot join its parent's tasks: there the joiner is a thread. */
MODE_TEST(cancel_at_join_ecanceled)
{
    cord_task_options options = of_kind(), beside = of_kind();
    cord_task *task, *joiner;
    static _Atomic int joins;
    if (mode.kind == CORD_PROCESS)
        beside.kind = CORD_THREAD;
    ok(cord_task_start(&task, sleep_long, NULL, 0, &options));
    ok(cord_task_start(&joiner, join_for_ever, &(struct joiner){ task, &joins }, sizeof(struct joiner), &beside));
    while (atomic_load(&joins) == 0)
        ok(cord_sleep(CORD_MILLISECOND));
    eventually(waits, joiner);
    cord_task_cancel(joiner);
    join(joiner, -ECANCELED);
    is(cord_task_status(task, NULL), CORD_RUNNING);
    cord_task_terminate(task, 0);
    ok(cord_task_join(task, soon(), NULL));
    cord_task_free(task);
}

MODE_TEST(names_are_given_or_made)
{
    cord_task_options options = of_kind();
    cord_task *task;
    options.name = "a name that is longer than thirty-one bytes";
    ok(cord_task_start(&task, answer_seven, NULL, 0, &options));
    ck_assert_str_eq(cord_task_name(task), "a name that is longer than thir");
    is(cord_task_kind(task), mode.kind);
    ok(cord_task_join(task, soon(), NULL));
    cord_task_free(task);
}

MODE_TEST(free_before_the_end_lets_it_run)
{
    cord_task_options options = of_kind();
    cord_task *task;
    ok(cord_task_start(&task, answer_seven, NULL, 0, &options));
    cord_task_free(task);
    cord_task_free(NULL);
}

PLAIN_TEST(serial_has_ended_when_start_returns)
{
    cord_task_options options = { .kind = CORD_SERIAL, .result_size = 16 };
    cord_task *task;
    char bytes[16];
    ok(cord_task_start(&task, return_bytes, NULL, 0, &options));
    is(cord_task_status(task, NULL), CORD_RETURNED);
    is(cord_task_result(task, bytes, sizeof bytes), 6);
    cord_task_free(task);
}

/* --- processes --- */

static int leave_with(void *arg)
{
    exit(*(int *)arg);
}

static int kill_itself(void *arg)
{
    signal(*(int *)arg, SIG_DFL); /* a sanitizer may have a handler of its own */
    raise(*(int *)arg);
    return cord_sleep(CORD_HOUR);
}

static cord_outcome process_outcome(cord_fn *fn, int number)
{
    cord_task_options options = { .kind = CORD_PROCESS };
    cord_task *task;
    cord_outcome out;
    ok(cord_task_start(&task, fn, &number, sizeof number, &options));
    ok(cord_task_join(task, soon(), &out));
    cord_task_free(task);
    return out;
}

PLAIN_TEST(process_outcomes_tell_exit_and_signal)
{
    cord_outcome out = process_outcome(leave_with, 0);
    is(out.how, CORD_RETURNED);
    out = process_outcome(leave_with, 7);
    is(out.how, CORD_FAILED);
    is(out.value, 7);
    ck_assert_ptr_nonnull(strstr(out.error, "exit status 7"));
    static const int signals[] = { SIGKILL, SIGUSR1, SIGSEGV };
    for (size_t i = 0; i < 3; i++) {
        out = process_outcome(kill_itself, signals[i]);
        is(out.how, CORD_SIGNALED);
        is(out.value, signals[i]);
    }
}

PLAIN_TEST(process_refuses_a_pointer_of_its_own)
{
    cord_task_options options = { .kind = CORD_PROCESS };
    cord_task *task = NULL;
    int here = 0;
    void *shared;
    is(cord_task_start(&task, answer_seven, &here, 0, &options), -EINVAL);
    ck_assert_ptr_null(task);
    ok(cord_shared_new(&shared, 100));
    ok(cord_task_start(&task, answer_seven, shared, 0, &options));
    ok(cord_task_join(task, soon(), NULL));
    cord_task_free(task);
    cord_shared_free(shared);
}

static int read_stdin(void *arg)
{
    (void)arg;
    return getchar(); /* it holds stdin's lock while it waits */
}

PLAIN_TEST(process_starts_while_a_thread_waits_in_stdio)
{
    int ends[2];
    cord_task *reader;
    ck_assert_int_eq(pipe(ends), 0);
    int kept = dup(0);
    ck_assert_int_eq(dup2(ends[0], 0), 0);
    ok(cord_task_start(&reader, read_stdin, NULL, 0, &(cord_task_options){ .kind = CORD_THREAD }));
    while (ftrylockfile(stdin) == 0) {
        funlockfile(stdin);
        ok(cord_sleep(CORD_MILLISECOND));
    }
    cord_outcome out = process_outcome(leave_with, 7);
    is(out.value, 7);
    ck_assert_int_eq((int)write(ends[1], "q", 1), 1);
    join(reader, 'q');
    ck_assert_int_eq(dup2(kept, 0), 0);
    close(kept);
    close(ends[0]);
    close(ends[1]);
}

static bool no_children(void *arg)
{
    (void)arg;
    return children() == 0;
}

PLAIN_TEST(process_leaves_no_zombie_without_a_join)
{
    cord_task_options options = { .kind = CORD_PROCESS };
    cord_task *task;
    for (int i = 0; i < 5; i++) {
        ok(cord_task_start(&task, answer_seven, NULL, 0, &options));
        cord_task_free(task);
    }
    eventually(no_children, NULL);
}

static int ignore_term(void *arg)
{
    signal(SIGTERM, SIG_IGN);
    ok(cord_task_return("r", 1));
    (void)arg;
    return cord_sleep(CORD_HOUR);
}

PLAIN_TEST(terminate_kills_what_ignores_sigterm)
{
    cord_task_options options = { .kind = CORD_PROCESS, .result_size = 1 };
    cord_task *task;
    cord_outcome out;
    ok(cord_task_start(&task, ignore_term, NULL, 0, &options));
    cord_task_terminate(task, 20 * CORD_MILLISECOND);
    ok(cord_task_join(task, soon(), &out));
    is(out.how, CORD_SIGNALED);
    ck_assert(out.value == SIGKILL || out.value == SIGTERM); /* it may not have come to ignoring it */
    cord_task_free(task);
}

static int start_a_grandchild(void *arg)
{
    cord_task_options options = { .kind = (cord_kind) * (int *)arg };
    cord_task *task = NULL;
    cord_outcome out;
    int rc = cord_task_start(&task, answer_seven, NULL, 0, &options);
    if (rc == 0)
        rc = cord_task_join(task, soon(), &out);
    cord_task_free(task);
    return rc < 0 ? rc : out.value;
}

MODE_TEST(any_kind_starts_any_kind)
{
    for (int kind = CORD_COROUTINE; kind <= CORD_SERIAL; kind++)
        join(start(start_a_grandchild, &kind, sizeof kind), 7);
}

static int user_fork(void *arg)
{
    (void)arg;
    int pid = fork();
    if (pid == 0) { /* a coroutine or thread of the parent: here one adopted thread */
        cord_task *task;
        cord_outcome out = { .value = 0 };
        int rc = cord_task_start(&task, answer_seven, NULL, 0, NULL);
        if (rc == 0)
            rc = cord_task_join(task, soon(), &out);
        _exit(rc == 0 && cord_sleep(CORD_MILLISECOND) == 0 ? out.value : 99);
    }
    int status = 0, got;
    do
        got = (int)cord_yield();
    while (got == 0 && waitpid(pid, &status, WNOHANG) == 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -EPROTO;
}

MODE_TEST(fork_by_the_user_leaves_a_working_child)
{
    join(start(user_fork, NULL, 0), 7);
}

static int yield_often(void *arg)
{
    for (int i = 0; i < 10; i++)
        ok(cord_yield());
    (void)arg;
    return 0;
}

PLAIN_TEST(a_hundred_thousand_coroutines_end)
{
    int many = CORDI_TSAN ? 2000 : under_valgrind() ? 500 : 100000; /* TSan has 8128 threads and fibres in all */
    cord_group *group;
    ok(cord_group_new(&group, NULL));
    for (int i = 0; i < many; i++)
        ok(cord_group_start(group, yield_often, NULL, 0));
    ok(cord_group_join(group, CORD_FOREVER));
}

static int many_in_a_run(void *arg)
{
    (void)arg;
    a_hundred_thousand_coroutines_end();
    return 0;
}

PLAIN_TEST(a_hundred_thousand_coroutines_of_one_loop_end)
{
    ok(cord_run(many_in_a_run, NULL, NULL));
}

static const cord_task_local number = { sizeof(int), NULL };

/* Leaves all that a task can leave. */
static int leave_much(void *arg)
{
    (void)arg;
    cord_task_cancel(cord_task_self());
    is((*(int *)cord_task_local_get(&number))++, 0);
    is(cord_task_return("hello", 6), 0);
    is(cord_sleep(CORD_HOUR), -ECANCELED);
    return fail_with_words(NULL);
}

static int is_as_new(void *arg)
{
    cord_task_info list[8];
    const char *name = cord_task_name(cord_task_self());
    int count = cord_task_list(list, 8), found = 0;
    (void)arg;
    for (int i = 0; i < count && i < 8; i++)
        if (strcmp(list[i].name, name) == 0)
            found += 1 + list[i].daemon;
    is(found, 1);
    is(strncmp(name, "coroutine-", 10), 0);
    is(cord_task_return("", 1), -EMSGSIZE);
    is(*(int *)cord_task_local_get(&number), 0);
    ok(cord_yield());
    ok(cord_sleep(1));
    return 7;
}

/* The loop keeps what ended coroutines leave of their blocks and stacks for those that start next. */
static int start_in_used_blocks(void *arg)
{
    const cord_task_options options = { .name = "much", .result_size = 16, .daemon = true };
    char bytes[16], large[5000] = { 0 };
    (void)arg;
    for (int i = 0; i < 100; i++) {
        cord_task *task;
        cord_outcome outcome;
        ok(cord_task_start(&task, leave_much, large, i % 2 ? sizeof large : 0, &options));
        ok(cord_task_join(task, soon(), &outcome));
        is(outcome.how, CORD_FAILED);
        const cord_task *used = task;
        cord_task_free(task);
        ok(cord_task_start(&task, is_as_new, NULL, 0, NULL));
        if (!cordi_ctx_followed() && i % 2 == 0)
            ck_assert_ptr_eq(task, used);
        is(cord_task_status(task, NULL), CORD_RUNNING);
        ok(cord_task_join(task, soon(), &outcome));
        is(outcome.how, CORD_RETURNED);
        is(outcome.value, 7);
        ck_assert_str_eq(outcome.error, "");
        is(cord_task_result(task, bytes, sizeof bytes), 0);
        cord_task_free(task);
    }
    return 0;
}

PLAIN_TEST(coroutine_in_a_used_block_is_as_new)
{
    ok(cord_run(start_in_used_blocks, NULL, NULL));
}

int main(void)
{
    return run_tests("task", PLAIN(coroutine_in_a_used_block_is_as_new), MODE(join_gives_the_value),
                     MODE(arg_size_copies_the_argument), MODE(join_again_gives_the_same),
                     MODE(join_deadline_passes_etimedout_and_task_runs_on), MODE(cancel_ends_a_sleep),
                     MODE(cancel_holds_until_the_end), MODE(shield_holds_cancelling_off),
                     MODE(failure_comes_with_its_sentence), MODE(result_bytes_come_back), MODE(join_itself_edeadlk),
                     MODE(a_cancelled_joiner_leaves_the_task_alone), MODE(cancel_at_join_ecanceled),
                     MODE(names_are_given_or_made), MODE(free_before_the_end_lets_it_run),
                     PLAIN(serial_has_ended_when_start_returns), PLAIN(process_outcomes_tell_exit_and_signal),
                     PLAIN(process_starts_while_a_thread_waits_in_stdio), PLAIN(process_refuses_a_pointer_of_its_own),
                     PLAIN(process_leaves_no_zombie_without_a_join), PLAIN(terminate_kills_what_ignores_sigterm),
                     MODE(any_kind_starts_any_kind), MODE(fork_by_the_user_leaves_a_working_child),
                     SLOW(PLAIN(a_hundred_thousand_coroutines_end), 60),
                     SLOW(PLAIN(a_hundred_thousand_coroutines_of_one_loop_end), 60), END);
}
