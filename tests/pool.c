/* tests/pool.c - the same jobs in every kind: results, failures, deadlines, workers that die. */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 2000 };

static const cord_kind kinds[] = { CORD_COROUTINE, CORD_THREAD, CORD_PROCESS, CORD_SERIAL };

#define EACH_KIND(kind) for (const cord_kind *kind = kinds; kind < kinds + sizeof kinds / sizeof *kinds; kind++)

static cord_pool *new_pool(cord_kind kind, unsigned workers)
{
    cord_pool *pool;
    ok(cord_pool_new(&pool, &(cord_pool_options){ .kind = kind, .workers = workers }));
    return pool;
}

static int square(const void *in, void *out)
{
    long n = *(const long *)in;
    *(long *)out = n * n;
    return 0;
}

static void map_squares(cord_pool *pool, long first, size_t count)
{
    long *in = calloc(count + 1, sizeof *in), *out = calloc(count + 1, sizeof *out);
    for (size_t i = 0; i < count; i++)
        in[i] = first + (long)i;
    is(cord_pool_map(pool, CORD_BATCH(square, in, out, count), soon()), 0);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(out[i], in[i] * in[i]);
    is(out[count], 0);
    free(in);
    free(out);
}

MODE_TEST(map_gives_every_result_in_its_place)
{
    EACH_KIND(kind)
    {
        cord_pool *pool = new_pool(*kind, 3);
        static const size_t counts[] = { 0, 1, 2, 3, 4, 12, 13, MANY };
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            map_squares(pool, (long)i, counts[i]);
        cord_pool_free(pool);
    }
}

static int refuse_seven(const void *in, void *out)
{
    cord_span span;
    *(long *)out = 1;
    return *(const long *)in == 7 ? cord_span_parse(&span, "seven") : 0;
}

MODE_TEST(the_first_failure_is_the_answer_and_the_pool_goes_on)
{
    long in[100], out[100];
    for (long i = 0; i < 100; i++)
        in[i] = i;
    EACH_KIND(kind)
    {
        cord_pool *pool = new_pool(*kind, 2);
        is(cord_pool_map(pool, CORD_BATCH(refuse_seven, in, out, 100), soon()), -EINVAL);
        if (*kind != CORD_PROCESS)
            ck_assert_ptr_nonnull(strstr(cord_error_detail(), "\"seven\" is no length of time"));
        map_squares(pool, 0, 50);
        cord_pool_free(pool);
    }
}

static int die_at_five(const void *in, void *out)
{
    *(long *)out = 1;
    if (*(const long *)in == 5)
        raise(SIGKILL);
    return 0;
}

MODE_TEST(a_worker_that_dies_fails_its_job_and_is_replaced)
{
    long in[20], out[20];
    skip_without_processes();
    cord_pool *pool = new_pool(CORD_PROCESS, 2);
    for (long i = 0; i < 20; i++)
        in[i] = i;
    for (int round = 0; round < 3; round++) {
        is(cord_pool_map(pool, CORD_BATCH(die_at_five, in, out, 20), soon()), -EOWNERDEAD);
        ck_assert_ptr_nonnull(strstr(cord_error_detail(), "signal 9"));
        map_squares(pool, round, 50);
    }
    cord_pool_free(pool);
}

static int take_long(const void *in, void *out)
{
    (void)in;
    (void)out;
    for (int i = 0; i < 50; i++) /* 50 ms in this process; for a child to be ended in the middle */
        if (cord_sleep(CORD_MILLISECOND) < 0)
            return -ECANCELED;
    return 0;
}

static int take_for_ever(const void *in, void *out)
{
    (void)in;
    (void)out;
    return cord_sleep(CORD_HOUR);
}

MODE_TEST(deadline_passes_etimedout_and_the_pool_goes_on)
{
    char in[40] = { 0 }, out[40];
    EACH_KIND(kind)
    {
        cord_pool *pool = new_pool(*kind, 2);
        if (*kind != CORD_SERIAL)
            is(cord_pool_map(pool, CORD_BATCH(take_long, in, out, 40), cord_in(5 * CORD_MILLISECOND)), -ETIMEDOUT);
        if (*kind == CORD_PROCESS)
            is(cord_pool_map(pool, CORD_BATCH(take_for_ever, in, out, 40), cord_in(5 * CORD_MILLISECOND)), -ETIMEDOUT);
        map_squares(pool, 0, 50);
        cord_pool_free(pool);
    }
}

static int take_some_time(const void *in, void *out)
{
    (void)in;
    (void)out;
    return cord_sleep(50 * CORD_MILLISECOND);
}

static int block_the_loop(void *arg)
{
    (void)arg;
    ok(cord_sleep(CORD_MILLISECOND));
    usleep(400000); /* by then the answer is there and the deadline has passed */
    return 0;
}

/* The loop that reads answers is late, and the mapper gives up on one that is there already. */
PLAIN_TEST(a_worker_that_answers_at_the_deadline_is_not_found_dead_by_the_next_map)
{
    skip_without_processes();
    char in = 0, out;
    cord_task *blocker;
    cord_pool *pool = new_pool(CORD_PROCESS, 1);
    map_squares(pool, 0, 1);
    for (int i = 0; i < 3; i++) {
        ok(cord_task_start(&blocker, block_the_loop, NULL, 0, NULL));
        is(cord_pool_map(pool, CORD_BATCH(take_some_time, &in, &out, 1), cord_in(100 * CORD_MILLISECOND)), -ETIMEDOUT);
        join(blocker, 0);
        map_squares(pool, 0, 1);
    }
    cord_pool_free(pool);
}

static int map_for_ever(void *arg)
{
    char in[4] = { 0 }, out[4];
    return cord_pool_map(*(cord_pool **)arg, CORD_BATCH(take_for_ever, in, out, 4), CORD_FOREVER);
}

PLAIN_TEST(a_cancelled_map_ends_and_the_pool_goes_on)
{
    skip_without_processes();
    cord_pool *pool = new_pool(CORD_PROCESS, 2);
    cord_task *task;
    cord_outcome out;
    ok(cord_task_start(&task, map_for_ever, &pool, sizeof pool, &(cord_task_options){ .kind = CORD_THREAD }));
    is(cord_task_join(task, cord_in(5 * CORD_MILLISECOND), NULL), -ETIMEDOUT);
    cord_task_cancel(task);
    ok(cord_task_join(task, soon(), &out));
    is(out.value, -ECANCELED);
    cord_task_free(task);
    map_squares(pool, 0, 50);
    cord_pool_free(pool);
}

static int map_some(void *arg)
{
    map_squares(*(cord_pool **)arg, 3, 500);
    return 0;
}

MODE_TEST(several_tasks_map_at_once)
{
    if (mode.kind == CORD_PROCESS)
        skip("a pool belongs to the process that made it");
    EACH_KIND(kind)
    {
        cord_pool *pool = new_pool(*kind, 2);
        cord_task *tasks[4];
        for (int i = 0; i < 4; i++)
            tasks[i] = start(map_some, &pool, sizeof pool);
        for (int i = 0; i < 4; i++)
            join(tasks[i], 0);
        cord_pool_free(pool);
    }
}

MODE_TEST(shutdown_refuses_further_maps)
{
    long in = 1, out;
    EACH_KIND(kind)
    {
        cord_pool *pool = new_pool(*kind, 1);
        map_squares(pool, 0, 10);
        is(cord_pool_shutdown(pool, soon()), 0);
        is(cord_pool_map(pool, CORD_BATCH(square, &in, &out, 1), soon()), -EPIPE);
        cord_pool_free(pool);
    }
    cord_pool_free(NULL);
}

PLAIN_TEST(an_unknown_kind_is_refused)
{
    cord_pool *pool = NULL;
    is(cord_pool_new(&pool, &(cord_pool_options){ .kind = (cord_kind)9 }), -EINVAL);
    ck_assert_ptr_null(pool);
}

int main(void)
{
    return run_tests(
        "pool", MODE(map_gives_every_result_in_its_place), MODE(the_first_failure_is_the_answer_and_the_pool_goes_on),
        MODE(a_worker_that_dies_fails_its_job_and_is_replaced), MODE(deadline_passes_etimedout_and_the_pool_goes_on),
        PLAIN(a_worker_that_answers_at_the_deadline_is_not_found_dead_by_the_next_map),
        PLAIN(a_cancelled_map_ends_and_the_pool_goes_on), MODE(several_tasks_map_at_once),
        MODE(shutdown_refuses_further_maps), PLAIN(an_unknown_kind_is_refused), END);
}
