/* tests/ctx.c - the switch: registers, stacks, ends, backtraces. */
#include "support.h"

#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unwind.h>

#include "sys/ctx.h"

enum { STACK = 65536, MANY = 200, ROUNDS = 10 };

/* Two sides: the test's own thread and one made context. */
struct pair {
    struct cordi_ctx main, other;
    char *stack;
    int steps;
    uintptr_t local;   /* address of a variable in `other` */
    uintptr_t aligned; /* its frame must be fit for aligned vector stores */
    int depth;
    _Unwind_Reason_Code end;
};

static void pair_start(struct pair *pair, cordi_ctx_entry *entry)
{
    cordi_ctx_adopt(&pair->main);
    if (pair->stack == NULL)
        pair->stack = aligned_alloc(64, STACK);
    ck_assert_ptr_nonnull(pair->stack);
    cordi_ctx_make(&pair->other, pair->stack, STACK);
    cordi_ctx_begin(&pair->other, pair->stack, pair->stack + STACK, entry, pair);
}

static void pair_end(struct pair *pair)
{
    cordi_ctx_done(&pair->other);
    free(pair->stack);
}

static struct cordi_ctx *count_to_three(void *arg)
{
    struct pair *pair = arg;
    char vector[32] __attribute__((aligned(16)));
    pair->local = (uintptr_t)vector;
    pair->aligned = (uintptr_t)__builtin_frame_address(0) % 16;
    for (int i = 0; i < 3; i++) {
        pair->steps++;
        cordi_ctx_switch(&pair->other, &pair->main);
    }
    return &pair->main;
}

PLAIN_TEST(switch_goes_on_where_it_left)
{
    struct pair pair = { .steps = 0 };
    pair_start(&pair, count_to_three);
    for (int i = 1; i <= 3; i++) {
        cordi_ctx_switch(&pair.main, &pair.other);
        is(pair.steps, i);
    }
    cordi_ctx_switch(&pair.main, &pair.other);
    is(pair.steps, 3);
    pair_end(&pair);
}

PLAIN_TEST(first_frame_is_on_the_given_stack_and_aligned)
{
    struct pair pair = { .steps = 0 };
    pair_start(&pair, count_to_three);
    for (int i = 0; i < 4; i++)
        cordi_ctx_switch(&pair.main, &pair.other);
    ck_assert_uint_eq(pair.aligned, 0);
#if !CORDI_ASAN /* its locals may live on a fake stack */
    ck_assert(pair.local > (uintptr_t)pair.stack && pair.local < (uintptr_t)pair.stack + STACK);
    ck_assert_uint_gt(pair.local, (uintptr_t)pair.stack + STACK - 1024 - sizeof(ucontext_t)); /* where that is used */
#endif
    pair_end(&pair);
}

PLAIN_TEST(stack_of_an_ended_context_serves_again)
{
    struct pair pair = { .steps = 0 };
    for (int round = 1; round <= MANY; round++) {
        pair_start(&pair, count_to_three);
        for (int i = 0; i < 4; i++)
            cordi_ctx_switch(&pair.main, &pair.other);
        is(pair.steps, 3 * round);
        cordi_ctx_done(&pair.other);
    }
    free(pair.stack);
}

#ifdef __aarch64__
#define IN_FLOAT(value) "+w"(value)
#else
#define IN_FLOAT(value) "+m"(value)
#endif

/* Fills every callee-saved register with values of its own, switches, and compares. Both sides do it. */
static int registers_keep(struct cordi_ctx *from, struct cordi_ctx *to, uint64_t seed)
{
    uint64_t a = seed * 3, b = seed * 5, c = seed * 7, d = seed * 11, e = seed * 13, f = seed * 17;
    uint64_t g = seed * 19, h = seed * 23, j = seed * 29, k = seed * 31;
    double p = (double)seed, q = p * 1.5, r = p * 2.5, s = p * 3.5, t = p * 4.5, u = p * 5.5, v = p * 6.5, w = p * 7.5;
    for (int i = 0; i < 50; i++) { /* they are live, and unknown */
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
        __asm__ volatile("" : "+r"(g), "+r"(h), "+r"(j), "+r"(k));
        __asm__ volatile("" : IN_FLOAT(p), IN_FLOAT(q), IN_FLOAT(r), IN_FLOAT(s));
        __asm__ volatile("" : IN_FLOAT(t), IN_FLOAT(u), IN_FLOAT(v), IN_FLOAT(w));
        cordi_ctx_switch(from, to);
        if (a != seed * 3 || b != seed * 5 || c != seed * 7 || d != seed * 11 || e != seed * 13 || f != seed * 17)
            return 0;
        if (g != seed * 19 || h != seed * 23 || j != seed * 29 || k != seed * 31)
            return 0;
        double sum = q + r + s + t + u + v + w;
        if (p != (double)seed || sum != p * 31.5 || q != p * 1.5 || t != p * 4.5 || w != p * 7.5)
            return 0;
    }
    return 1;
}

static struct cordi_ctx *hold_registers(void *arg)
{
    struct pair *pair = arg;
    pair->steps = registers_keep(&pair->other, &pair->main, 1000003);
    return &pair->main;
}

PLAIN_TEST(registers_survive_a_switch)
{
    struct pair pair = { .steps = 0 };
    pair_start(&pair, hold_registers);
    is(registers_keep(&pair.main, &pair.other, 77), 1);
    cordi_ctx_switch(&pair.main, &pair.other);
    is(pair.steps, 1);
    pair_end(&pair);
}

static _Unwind_Reason_Code count_frame(struct _Unwind_Context *frame, void *arg)
{
    (void)frame;
    ++*(int *)arg;
    return *(int *)arg > 100 ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

static struct cordi_ctx *look_back(void *arg)
{
    struct pair *pair = arg;
    pair->end = _Unwind_Backtrace(count_frame, &pair->depth);
    return &pair->main;
}

PLAIN_TEST(backtrace_ends_at_the_first_frame)
{
    struct pair pair = { .steps = 0 };
    pair_start(&pair, look_back);
    cordi_ctx_switch(&pair.main, &pair.other);
    is(pair.end, _URC_END_OF_STACK);
    ck_assert_int_ge(pair.depth, 2); /* look_back and the first frame; ASan has one more */
    ck_assert_int_le(pair.depth, 4);
    pair_end(&pair);
}

/* A ring: each context switches to the next one, `rounds` times. */
struct ring {
    struct cordi_ctx main, at[MANY];
    int number, visits[MANY];
};

static struct cordi_ctx *go_round(void *arg)
{
    struct ring *ring = arg;
    int me = ring->number++;
    struct cordi_ctx *next = me + 1 < MANY ? &ring->at[me + 1] : &ring->main;
    while (++ring->visits[me] < ROUNDS)
        cordi_ctx_switch(&ring->at[me], next);
    return next; /* in the last round the next one is entered from an end */
}

/* One that ends may hand over to one that has not begun. */
static struct cordi_ctx *end_at_once(void *arg)
{
    struct ring *ring = arg;
    int me = ring->number++;
    ring->visits[me]++;
    return me + 1 < MANY ? &ring->at[me + 1] : &ring->main;
}

static void ring_make(struct ring *ring, char *stacks, cordi_ctx_entry *entry)
{
    cordi_ctx_adopt(&ring->main);
    for (size_t i = 0; i < MANY; i++) {
        char *low = stacks + i * STACK;
        cordi_ctx_make(&ring->at[i], low, STACK);
        cordi_ctx_begin(&ring->at[i], low, low + STACK - (i * 320 & 1984), entry, ring);
    }
}

PLAIN_TEST(contexts_that_end_hand_over_to_new_ones)
{
    static struct ring ring;
    char *stacks = aligned_alloc(64, (size_t)MANY * STACK);
    ck_assert_ptr_nonnull(stacks);
    ring_make(&ring, stacks, end_at_once);
    cordi_ctx_switch(&ring.main, &ring.at[0]);
    is(ring.number, MANY);
    for (int i = 0; i < MANY; i++) {
        is(ring.visits[i], 1);
        cordi_ctx_done(&ring.at[i]);
    }
    free(stacks);
}

PLAIN_TEST(many_contexts_pass_control_round_a_ring)
{
    static struct ring ring;
    char *stacks = aligned_alloc(64, (size_t)MANY * STACK);
    ck_assert_ptr_nonnull(stacks);
    ring_make(&ring, stacks, go_round);
    for (int round = 0; round < ROUNDS; round++)
        cordi_ctx_switch(&ring.main, &ring.at[0]);
    for (int i = 0; i < MANY; i++) {
        is(ring.visits[i], ROUNDS);
        cordi_ctx_done(&ring.at[i]);
    }
    free(stacks);
}

int main(void)
{
    return run_tests("ctx", PLAIN(switch_goes_on_where_it_left), PLAIN(first_frame_is_on_the_given_stack_and_aligned),
                     PLAIN(stack_of_an_ended_context_serves_again), PLAIN(registers_survive_a_switch),
                     PLAIN(backtrace_ends_at_the_first_frame), PLAIN(contexts_that_end_hand_over_to_new_ones),
                     PLAIN(many_contexts_pass_control_round_a_ring), END);
}
