/* tests/stack.c - stacks: sizes, guards by effect, reuse, trimming, many of them. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/ctx.h"
#include "sys/stack.h"

enum { MANY = CORDI_ASAN || CORDI_TSAN ? 3000 : 200000, RUN = 600 };

/* How many of the bytes the kernel refuses to read. */
static int faults_among(const char *const *bytes, int count)
{
    int fds[2], faults = 0;
    char back;
    ok(pipe(fds));
    for (int i = 0; i < count; i++) {
        bool fault = write(fds[1], bytes[i], 1) < 0 && errno == EFAULT;
        faults += fault;
        if (!fault)
            is(read(fds[0], &back, 1), 1);
    }
    close(fds[0]);
    close(fds[1]);
    return faults;
}

static bool faults(const char *byte)
{
    return faults_among(&byte, 1) == 1;
}

static bool resident(char *address)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char in = 0;
    ok(mincore((void *)((uintptr_t)address / page * page), 1, &in));
    return in & 1;
}

static int mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    ck_assert_ptr_nonnull(maps);
    int lines = 0;
    for (int c; (c = getc(maps)) != EOF;)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

PLAIN_TEST(every_size_is_usable_and_guarded)
{
    for (size_t want = 1000; want < 20 << 20; want = want * 2 + 1) {
        struct cordi_stack stack;
        is(cordi_stack_get(&stack, want, NULL), 0);
        ck_assert_uint_ge(stack.usable, want);
        memset(stack.low, 0x5a, stack.usable);
        ck_assert(stack.guarded);
        ck_assert(!faults(stack.low));
        ck_assert(faults(stack.low - 1));
        ck_assert(faults(stack.low - CORDI_STACK_GUARD));
        ck_assert(stack.top <= stack.low + stack.usable && stack.top > stack.low + stack.usable - 1024);
        cordi_stack_put(&stack, NULL);
    }
}

PLAIN_TEST(impossible_size_is_refused)
{
    struct cordi_stack stack;
    is(cordi_stack_get(&stack, SIZE_MAX, NULL), -ENOMEM);
    is(cordi_stack_get(&stack, SIZE_MAX / 8, NULL), -ENOMEM);
}

PLAIN_TEST(last_stack_put_is_the_next_taken)
{
    struct cordi_stack a, b, again;
    is(cordi_stack_get(&a, 0, NULL), 0);
    is(cordi_stack_get(&b, 0, NULL), 0);
    ck_assert(a.low != b.low);
    cordi_stack_put(&b, NULL);
    cordi_stack_put(&a, NULL);
    is(cordi_stack_get(&again, 0, NULL), 0);
    ck_assert_ptr_eq(again.low, a.low);
    is(cordi_stack_get(&again, 0, NULL), 0);
    ck_assert_ptr_eq(again.low, b.low);
    ck_assert(faults(again.low - 1));
}

PLAIN_TEST(tops_of_neighbours_differ_in_colour)
{
    size_t colours = 0;
    for (int i = 0; i < 32; i++) {
        struct cordi_stack stack;
        is(cordi_stack_get(&stack, 0, NULL), 0);
        size_t below = (size_t)(stack.low + stack.usable - stack.top);
        is(below % 64, 0);
        colours |= (size_t)1 << below / 64;
    }
    ck_assert_int_ge(__builtin_popcountl(colours), 16);
}

PLAIN_TEST(two_hundred_thousand_stacks_are_guarded_within_the_mappings_allowed)
{
    if (under_valgrind())
        skip("valgrind keeps a list of all mappings");
    struct cordi_stack *stacks = calloc(MANY, sizeof *stacks);
    const char **guards = calloc(MANY, sizeof *guards);
    ck_assert(stacks != NULL && guards != NULL);
    for (int i = 0; i < MANY; i++) {
        is(cordi_stack_get(&stacks[i], 0, NULL), 0);
        if (i % 64 == 0) /* not all, for the sake of small machines */
            *(int *)(void *)(stacks[i].top - 64) = i;
        if (!stacks[i].guarded && i > 1000)
            skip("this kernel has no MADV_GUARD_INSTALL");
        guards[i] = stacks[i].low - 1;
    }
    if (mappings() > 20000)
        skip("this kernel has no MADV_GUARD_INSTALL");
    ck_assert_int_lt(mappings(), 1000);
    is(faults_among(guards, MANY), MANY);
    for (int i = 0; i < MANY; i++) {
        is(i % 64 == 0 ? *(int *)(void *)(stacks[i].top - 64) : i, i);
        cordi_stack_put(&stacks[i], NULL);
    }
    free(stacks);
    free(guards);
}

static void take(struct cordi_stack *stacks, int count, struct cordi_stack_cache *cache)
{
    for (int i = 0; i < count; i++) {
        is(cordi_stack_get(&stacks[i], 0, cache), 0);
        memset(stacks[i].low, 1, stacks[i].usable);
    }
}

static void put(const struct cordi_stack *stacks, int count, struct cordi_stack_cache *cache)
{
    for (int i = 0; i < count; i++)
        cordi_stack_put(&stacks[i], cache);
}

/* How many keep their memory; all of them keep the top page. */
static int kept(const struct cordi_stack *stacks, int count)
{
    int warm = 0;
    for (int i = 0; i < count; i++) {
        warm += resident(stacks[i].low);
        ck_assert(resident(stacks[i].low + stacks[i].usable - 1));
    }
    return warm;
}

static bool nothing_to_trim(void *arg)
{
    (void)arg;
    return cordi_stack_idle() < 0;
}

PLAIN_TEST(stacks_free_for_a_second_give_their_memory_back_but_not_the_top_page)
{
    struct cordi_stack stacks[RUN];
    is(cordi_stack_idle(), -1);
    take(stacks, RUN, NULL);
    put(stacks, RUN, NULL);
    ck_assert_int_ge(cordi_stack_idle(), 0);
    is(kept(stacks, RUN), RUN); /* not at once */
    eventually(nothing_to_trim, NULL);
    is(kept(stacks, RUN), 0);
    take(stacks, RUN, NULL);
    for (int i = 0; i < RUN; i++)
        ck_assert(faults(stacks[i].low - 1)); /* the guards stay */
}

static bool crowd_was_trimmed(void *arg)
{
    struct cordi_stack *stacks = arg;
    take(stacks, 100, NULL); /* what is needed all the time */
    put(stacks, 100, NULL);
    (void)cordi_stack_idle();
    return kept(stacks + 100, RUN - 100) == 0;
}

PLAIN_TEST(stacks_that_come_and_go_keep_their_memory)
{
    struct cordi_stack stacks[RUN];
    take(stacks, RUN, NULL);
    for (int i = RUN; i-- > 0;)
        cordi_stack_put(&stacks[i], NULL);
    eventually(crowd_was_trimmed, stacks);
    is(kept(stacks, 100), 100);
}

PLAIN_TEST(cache_answers_last_in_first_out_and_shares_what_it_has_too_much)
{
    struct cordi_stack_cache mine = { 0 }, other = { 0 };
    struct cordi_stack stacks[RUN], again;
    take(stacks, RUN, &mine);
    put(stacks, RUN, &mine);
    is(cordi_stack_get(&again, 0, &mine), 0);
    ck_assert_ptr_eq(again.low, stacks[RUN - 1].low);
    int shared = 0;
    for (int i = 0; i < RUN; i++) {
        is(cordi_stack_get(&again, 0, &other), 0);
        for (int j = 0; j < RUN; j++)
            shared += again.low == stacks[j].low;
    }
    ck_assert_int_ge(shared, RUN / 2); /* also through another's cache */
    ck_assert_int_lt(shared, RUN);     /* but not what the cache kept */
}

PLAIN_TEST(cache_that_closes_leaves_little_memory_behind)
{
    struct cordi_stack_cache cache = { 0 };
    struct cordi_stack stacks[RUN];
    take(stacks, 10, &cache);
    put(stacks, 10, &cache);
    cordi_stack_cache_close(&cache);
    is(kept(stacks, 10), 10); /* a few do not matter */
    take(stacks, RUN, &cache);
    put(stacks, RUN, &cache);
    cordi_stack_cache_close(&cache);
    is(kept(stacks, RUN), 0);
}

/* MADV_GUARD_INSTALL is refused in locked memory: mprotect takes over, then stacks have no guard and say so. */
PLAIN_TEST(locked_memory_gets_other_guards_until_mappings_run_short)
{
    if (CORDI_ASAN || CORDI_TSAN || under_valgrind())
        skip("mlockall(2) does nothing here");
    if (mlockall(MCL_FUTURE | MCL_ONFAULT) < 0)
        skip("locking memory is not allowed");
    struct cordi_stack stack;
    int guarded = 0, rc;
    while ((rc = cordi_stack_get(&stack, 0, NULL)) == 0 && stack.guarded && guarded < 100000)
        if (++guarded == 1)
            ck_assert(faults(stack.low - 1));
    if (rc == -ENOMEM)
        skip("locking this much memory is not allowed");
    is(rc, 0);
    ck_assert_int_gt(guarded, 1000);
    ck_assert(!stack.guarded);
    memset(stack.low, 1, stack.usable);
}

static void *take_and_put(void *arg)
{
    for (int round = 0; round < 3000; round++) {
        struct cordi_stack stacks[8];
        for (int i = 0; i < 8; i++) {
            if (cordi_stack_get(&stacks[i], i % 2 ? 100000 : 0, NULL) < 0)
                return NULL;
            *(void **)(void *)(stacks[i].top - 64) = arg;
        }
        for (int i = 0; i < 8; i++) {
            if (*(void **)(void *)(stacks[i].top - 64) != arg)
                return NULL;
            cordi_stack_put(&stacks[i], NULL);
        }
    }
    return arg;
}

PLAIN_TEST(threads_never_get_the_same_stack)
{
    pthread_t threads[4];
    int arguments[4];
    for (size_t i = 0; i < 4; i++)
        is(pthread_create(&threads[i], NULL, take_and_put, &arguments[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        void *answer;
        is(pthread_join(threads[i], &answer), 0);
        ck_assert_ptr_eq(answer, &arguments[i]);
    }
}

int main(void)
{
    return run_tests("stack", PLAIN(every_size_is_usable_and_guarded), PLAIN(impossible_size_is_refused),
                     PLAIN(last_stack_put_is_the_next_taken), PLAIN(tops_of_neighbours_differ_in_colour),
                     PLAIN(two_hundred_thousand_stacks_are_guarded_within_the_mappings_allowed),
                     PLAIN(stacks_free_for_a_second_give_their_memory_back_but_not_the_top_page),
                     PLAIN(stacks_that_come_and_go_keep_their_memory),
                     PLAIN(cache_answers_last_in_first_out_and_shares_what_it_has_too_much),
                     PLAIN(cache_that_closes_leaves_little_memory_behind), PLAIN(threads_never_get_the_same_stack),
                     PLAIN(locked_memory_gets_other_guards_until_mappings_run_short), END);
}
