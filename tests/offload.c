/* tests/offload.c - calls that block: others run meanwhile, deadlines, giving up, bounds. */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rt/offload.h"

enum { HELPERS = 16 }; /* of the class RESOLVE */

/* What a blocking call is given: a pipe to wait on, and room for its answer. */
struct call {
    int fd;
    char byte;
    int value;
};

static void put(int fd, char byte)
{
    is(write(fd, &byte, 1), 1);
}

static int add_one(void *arg)
{
    struct call *call = arg;
    call->value++;
    return call->value;
}

PLAIN_TEST(deadline_without_size_passes_einval)
{
    struct call call = { .value = 1 };
    is(cord_call_blocking(add_one, &call, 0, soon()), -EINVAL);
    is(cord_call_blocking(add_one, &call, sizeof call, CORD_NOWAIT), -EAGAIN);
    is(call.value, 1);
}

MODE_TEST(call_works_on_the_argument_itself_without_a_deadline)
{
    struct call call = { .value = 1 };
    is(cord_call_blocking(add_one, &call, 0, CORD_FOREVER), 2);
    is(call.value, 2);
}

MODE_TEST(call_in_time_copies_its_argument_back)
{
    struct call call = { .value = 1 };
    for (int i = 2; i < 50; i++)
        is(cord_call_blocking(add_one, &call, sizeof call, soon()), i);
    is(call.value, 49);
}

static int fail_to_parse(void *arg)
{
    cord_span span;
    (void)arg;
    return cord_span_parse(&span, "seven apples");
}

MODE_TEST(failure_brings_its_sentence)
{
    int unused = 0;
    is(cord_call_blocking(fail_to_parse, NULL, 0, CORD_FOREVER), -EINVAL);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "seven apples"));
    is(cord_call_blocking(add_one, &(struct call){ 0 }, sizeof(struct call), soon()), 1);
    is(cord_call_blocking(fail_to_parse, &unused, sizeof unused, soon()), -EINVAL);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "seven apples"));
}

static int wait_for_byte(void *arg)
{
    struct call *call = arg;
    return read(call->fd, &call->byte, 1) == 1 ? call->byte : -errno;
}

static int write_byte(void *arg)
{
    return write(*(int *)arg, "x", 1) == 1 ? 0 : -errno;
}

/* The call ends only if the other task runs while it blocks. */
MODE_TEST(other_tasks_run_while_a_call_blocks)
{
    int fds[2];
    ok(pipe(fds));
    for (int round = 0; round < 2; round++) {
        struct call call = { .fd = fds[0] };
        cord_task *other = start(write_byte, &fds[1], sizeof fds[1]);
        if (round == 0)
            is(cord_call_blocking(wait_for_byte, &call, 0, CORD_FOREVER), 'x');
        else
            is(cord_call_blocking(wait_for_byte, &call, sizeof call, soon()), 'x');
        is(call.byte, 'x');
        join(other, 0);
    }
    close(fds[0]);
    close(fds[1]);
}

static int begin_and_wait(void *arg)
{
    struct call *call = arg;
    (void)!write(call->value, "b", 1);
    return wait_for_byte(call);
}

/* Says on the pipe in `value` what the copy held. */
static void tell_of_drop(void *copy)
{
    struct call *call = copy;
    (void)!write(call->value, &call->byte, 1);
}

MODE_TEST(call_given_up_goes_on_unseen_and_is_dropped)
{
    int in[2], out[2];
    char dropped = 0;
    ok(pipe(in));
    ok(pipe(out));
    struct call call = { .fd = in[0], .value = out[1] };
    bool begun = false;
    for (cord_span span = 20 * CORD_MILLISECOND; !begun;
         span *= 4) { /* a call that no helper took in time is not made */
        struct pollfd told = { .fd = out[0], .events = POLLIN };
        ck_assert_int_lt(span, 10 * CORD_SECOND);
        is(cordi_offload(CORDI_OFFLOAD_CALL, begin_and_wait, &call, sizeof call, tell_of_drop, cord_in(span)),
           -ETIMEDOUT);
        begun = poll(&told, 1, 500) > 0;
    }
    is(read(out[0], &dropped, 1), 1);
    is(dropped, 'b');
    put(in[1], 'd');
    is(read(out[0], &dropped, 1), 1);
    is(dropped, 'd');
    is(call.byte, 0);
    for (int i = 0; i < 2; i++)
        close(in[i]), close(out[i]);
}

static int block_with_deadline(void *arg)
{
    struct call *call = arg;
    return cordi_offload(CORDI_OFFLOAD_CALL, begin_and_wait, call, sizeof *call, tell_of_drop, soon());
}

MODE_TEST(cancelled_task_gives_its_call_up)
{
    int in[2], out[2];
    char told = 0;
    cord_outcome outcome;
    ok(pipe(in));
    ok(pipe(out));
    struct call call = { .fd = in[0], .value = out[1] };
    cord_task *task = start(block_with_deadline, &call, sizeof call);
    ok(cord_yield()); /* a coroutine hands its call over in here */
    is(read(out[0], &told, 1), 1);
    is(told, 'b');
    cord_task_cancel(task);
    ok(cord_task_join(task, soon(), &outcome));
    is(outcome.how, CORD_CANCELLED);
    cord_task_free(task);
    if (mode.kind != CORD_PROCESS) { /* there the helper ended with its process */
        put(in[1], 'e');
        is(read(out[0], &told, 1), 1);
        is(told, 'e');
    }
    for (int i = 0; i < 2; i++)
        close(in[i]), close(out[i]);
}

static _Atomic int running, most, run;

static int count_and_wait(void *arg)
{
    int now = atomic_fetch_add(&running, 1) + 1, seen = atomic_load(&most);
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
        continue;
    int rc = wait_for_byte(arg);
    atomic_fetch_add(&run, 1);
    atomic_fetch_sub(&running, 1);
    return rc;
}

static int resolve(void *arg)
{
    struct call *call = arg;
    return cordi_offload(CORDI_OFFLOAD_RESOLVE, count_and_wait, call, sizeof *call, NULL, soon());
}

static bool all_helpers_busy(void *arg)
{
    (void)arg;
    return atomic_load(&running) == HELPERS;
}

MODE_TEST(calls_beyond_the_bound_wait_their_turn_and_are_not_begun_late)
{
    enum { CALLS = 3 * HELPERS };
    cord_task *tasks[CALLS];
    int fds[2];
    ok(pipe(fds));
    struct call call = { .fd = fds[0] };
    const cord_task_options how = { .kind = mode.kind == CORD_THREAD ? CORD_THREAD : CORD_COROUTINE };
    for (int i = 0; i < CALLS; i++)
        ok(cord_task_start(&tasks[i], resolve, &call, sizeof call, &how));
    eventually(all_helpers_busy, NULL);
    cord_deadline short_time = cord_in(20 * CORD_MILLISECOND);
    is(cordi_offload(CORDI_OFFLOAD_RESOLVE, count_and_wait, &call, sizeof call, NULL, short_time), -ETIMEDOUT);
    is(cord_call_blocking(add_one, &call, sizeof call, soon()), 1); /* another class has helpers of its own */
    for (int i = 0; i < CALLS; i++)
        put(fds[1], 'r');
    for (int i = 0; i < CALLS; i++)
        join(tasks[i], 'r');
    is(atomic_load(&most), HELPERS);
    is(atomic_load(&run), CALLS);
    close(fds[0]);
    close(fds[1]);
}

static int call_in_child(void *arg)
{
    (void)arg;
    struct call call = { .value = 10 };
    return cord_call_blocking(add_one, &call, sizeof call, soon());
}

PLAIN_TEST(forked_child_has_helpers_of_its_own)
{
    const cord_task_options process = { .kind = CORD_PROCESS };
    struct call call = { .value = 1 };
    cord_task *child;
    is(cord_call_blocking(add_one, &call, sizeof call, soon()), 2); /* an idle helper stays here */
    ok(cord_task_start(&child, call_in_child, NULL, 0, &process));
    join(child, 11);
}

static int helpers(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    ck_assert_ptr_nonnull(tasks);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char path[300], name[32] = { 0 };
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL)
            continue;
        (void)!fgets(name, sizeof name, file);
        count += strncmp(name, "cord-call", 9) == 0;
        fclose(file);
    }
    closedir(tasks);
    return count;
}

static bool no_helpers(void *arg)
{
    (void)arg;
    return helpers() == 0;
}

PLAIN_TEST(idle_helper_serves_again_and_ends_after_a_while)
{
    struct call call = { .value = 1 };
    for (int i = 2; i < 20; i++)
        is(cord_call_blocking(add_one, &call, sizeof call, soon()), i);
    is(helpers(), 1);
    eventually(no_helpers, NULL);
    is(cord_call_blocking(add_one, &call, sizeof call, soon()), 20);
}

int main(void)
{
    return run_tests(
        "offload", PLAIN(deadline_without_size_passes_einval),
        MODE(call_works_on_the_argument_itself_without_a_deadline), MODE(call_in_time_copies_its_argument_back),
        MODE(failure_brings_its_sentence), MODE(other_tasks_run_while_a_call_blocks),
        MODE(call_given_up_goes_on_unseen_and_is_dropped), MODE(cancelled_task_gives_its_call_up),
        MODE(calls_beyond_the_bound_wait_their_turn_and_are_not_begun_late), PLAIN(forked_child_has_helpers_of_its_own),
        PLAIN(idle_helper_serves_again_and_ends_after_a_while), END);
}
