/* tests/interleave/runner/interleave.h - runs a few tasks through every schedule there is, on the product's own source.
 *
 * A model is a C file that includes this header first and then the sources it drives (#include "rt/park.c"): there the
 * atomic operations are the macros below, and each of them is a *step*. Between two steps a task runs alone. All tasks
 * are contexts of one thread, so the runner chooses who makes the next step; it runs the model again and again, with
 * each choice at each point (depth first, by replay), until there is no choice left that it has not seen the end of.
 * A point that was met before, with the same memory, the same stacks and the same stores under way, is not gone into
 * again: that is what makes it finish, and it loses nothing.
 *
 * MEMORY. A store that is not seq_cst goes into its task's own buffer, first in, first out, and becomes visible at any
 * later point, which is one more choice; a seq_cst store, a change (exchange, compare, fetch_*) and a seq_cst fence
 * empty the buffer first. That is what x86 does, and what loses wake-ups. Not modelled: loads that are made late,
 * stores that overtake each other, a weak compare that fails for nothing, and data races of plain memory
 * (ThreadSanitizer looks for those). An assignment to an _Atomic that names no operation is no step.
 *
 * FAULTS. The test of the test: a fault changes one operation, named by its function and a part of its text, while the
 * model runs. A model is worth something when the runner finds what each of its faults breaks.
 *
 * A task that makes the same load three times in a row, and nothing between, is taken to spin: it waits for a change.
 * In a model that repeats a call put a model_step() between.
 *
 * A model must not allocate, and keep all that its tasks share in the one object that it names as its state.
 */
#ifndef TESTS_INTERLEAVE_H
#define TESTS_INTERLEAVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alone.h"

enum { MODEL_TASKS = 4, MODEL_FAULTS = 12 };

enum fault_kind {
    WEAKER, /* the store is relaxed, or the fence is none */
    TORN,   /* the change is a load, and a store some time later */
    LOST,   /* memory stays as it is, whatever the operation answers */
    LIES    /* it answers `answer` and does nothing */
};

struct fault {
    const char *name; /* of the test: what went wrong */
    const char *in;   /* the function */
    const char *at;   /* a part of the operation as it is written there */
    enum fault_kind kind;
    uint64_t answer;
};

struct model {
    const char *name;
    struct {
        const char *name;
        void (*body)(void *arg);
        void *arg;
    } tasks[MODEL_TASKS];
    void (*setup)(void); /* fills the state, which is zero */
    void (*check)(void); /* at the end of each schedule */
    void *state;         /* all that the tasks share */
    size_t size;         /* a multiple of 8 */
    struct fault faults[MODEL_FAULTS];
};

/* Runs each model without a fault, where nothing may be found, and with each of its faults, which must be found. Prints
 * a line for each as tests/support.c does; answers the exit code of main. `pattern` (argv[1]) selects by name. */
int run_models(const char *subject, const struct model *const models[], int argc, char **argv);

/* For models. How often a task does what it does: 1, or more for a deep run (CORD_INTERLEAVE). */
int model_rounds(int most);

/* A step that has no atomic operation: a system call, the use of what is guarded. */
void model_step(const char *what);
/* A step that cannot be made before ready(arg); that may only look at memory. */
void model_wait(bool (*ready)(void *arg), void *arg, const char *what);
/* Lets the others go first: returns when another task has changed something since it last returned. */
void model_yield(void);

/* Stops the other task for ever, as if it were killed. What it has stored is visible. */
void model_kill(int task);

/* This part of the state is freed: who touches it from here on has a bug. */
void model_gone(void *at, size_t size);
/* The same for what the calling task had on its stack in calls that have returned; waits for the others' ends. */
void model_rest(void);

#define must(holds) ((holds) ? (void)0 : model_fail(__FILE__, __LINE__, #holds))
void model_fail(const char *file, int line, const char *what);

/* --- the atomic operations as steps --- */

struct site {
    const char *file, *function, *text;
    int line;
};
enum change { EXCHANGE, ADD, SUBTRACT, OR, AND };

uint64_t step_load(const volatile void *at, size_t size, struct site site);
void step_store(volatile void *at, size_t size, uint64_t value, int order, struct site site);
uint64_t step_change(volatile void *at, size_t size, enum change change, uint64_t value, struct site site);
bool step_compare(volatile void *at, size_t size, uint64_t *seen, uint64_t value, struct site site);
void step_fence(int order, struct site site);
uint64_t step_bits(const void *value, size_t size);
void step_value(void *value, size_t size, uint64_t bits);

#define SITE_(text) ((struct site){ __FILE__, __func__, text, __LINE__ })
#define PLAIN_(at) __typeof__((void)0, *(at)) /* without _Atomic */
#define LOAD_(at, text)                                                                                                \
    ({                                                                                                                 \
        PLAIN_(at) got_;                                                                                               \
        step_value(&got_, sizeof got_, step_load(at, sizeof got_, SITE_(text)));                                       \
        got_;                                                                                                          \
    })
#define STORE_(at, value, order, text)                                                                                 \
    ({                                                                                                                 \
        PLAIN_(at) new_ = (value);                                                                                     \
        step_store(at, sizeof new_, step_bits(&new_, sizeof new_), order, SITE_(text));                                \
    })
#define CHANGE_(at, change, value, text)                                                                               \
    ({                                                                                                                 \
        PLAIN_(at) new_ = (value);                                                                                     \
        step_value(&new_, sizeof new_,                                                                                 \
                   step_change(at, sizeof new_, change, step_bits(&new_, sizeof new_), SITE_(text)));                  \
        new_;                                                                                                          \
    })
#define COMPARE_(at, seen, value, text)                                                                                \
    ({                                                                                                                 \
        PLAIN_(at) new_ = (value);                                                                                     \
        uint64_t seen_ = step_bits(seen, sizeof new_);                                                                 \
        bool done_ = step_compare(at, sizeof new_, &seen_, step_bits(&new_, sizeof new_), SITE_(text));                \
        if (!done_)                                                                                                    \
            step_value(seen, sizeof new_, seen_);                                                                      \
        done_;                                                                                                         \
    })

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and
#undef atomic_fetch_and_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit
#undef atomic_thread_fence

/* The order of a load and of a change makes no difference here. */
#define atomic_load(at) LOAD_(at, "atomic_load(" #at ")")
#define atomic_load_explicit(at, order) LOAD_(at, "atomic_load(" #at ")")
#define atomic_store(at, value) STORE_(at, value, memory_order_seq_cst, "atomic_store(" #at ", " #value ")")
#define atomic_store_explicit(at, value, order) STORE_(at, value, order, "atomic_store(" #at ", " #value ")")
#define atomic_exchange(at, value) CHANGE_(at, EXCHANGE, value, "atomic_exchange(" #at ", " #value ")")
#define atomic_exchange_explicit(at, value, order) CHANGE_(at, EXCHANGE, value, "atomic_exchange(" #at ", " #value ")")
#define atomic_fetch_add(at, value) CHANGE_(at, ADD, value, "atomic_fetch_add(" #at ", " #value ")")
#define atomic_fetch_add_explicit(at, value, order) CHANGE_(at, ADD, value, "atomic_fetch_add(" #at ", " #value ")")
#define atomic_fetch_sub(at, value) CHANGE_(at, SUBTRACT, value, "atomic_fetch_sub(" #at ", " #value ")")
#define atomic_fetch_sub_explicit(at, value, order)                                                                    \
    CHANGE_(at, SUBTRACT, value, "atomic_fetch_sub(" #at ", " #value ")")
#define atomic_fetch_or(at, value) CHANGE_(at, OR, value, "atomic_fetch_or(" #at ", " #value ")")
#define atomic_fetch_or_explicit(at, value, order) CHANGE_(at, OR, value, "atomic_fetch_or(" #at ", " #value ")")
#define atomic_fetch_and(at, value) CHANGE_(at, AND, value, "atomic_fetch_and(" #at ", " #value ")")
#define atomic_fetch_and_explicit(at, value, order) CHANGE_(at, AND, value, "atomic_fetch_and(" #at ", " #value ")")
#define atomic_compare_exchange_strong(at, seen, value)                                                                \
    COMPARE_(at, seen, value, "atomic_compare_exchange(" #at ", " #value ")")
#define atomic_compare_exchange_strong_explicit(at, seen, value, won, lost)                                            \
    COMPARE_(at, seen, value, "atomic_compare_exchange(" #at ", " #value ")")
#define atomic_compare_exchange_weak(at, seen, value)                                                                  \
    COMPARE_(at, seen, value, "atomic_compare_exchange(" #at ", " #value ")")
#define atomic_compare_exchange_weak_explicit(at, seen, value, won, lost)                                              \
    COMPARE_(at, seen, value, "atomic_compare_exchange(" #at ", " #value ")")
#define atomic_thread_fence(order) step_fence(order, SITE_("atomic_thread_fence(" #order ")"))

/* base/alone.h does the same where there are other threads, and here there are; its callers are the sites. */
#undef CORDI_ALONE
#define CORDI_ALONE false
#undef CORDI_CHANGES_ARE_FENCES
#define CORDI_CHANGES_ARE_FENCES true
#define CORDI_SECTIONS false /* they are of a thread, and a model's tasks are not */
#define cordi_word_or(at, value) CHANGE_(at, OR, value, "cordi_word_or(" #at ", " #value ")")
#define cordi_word_and(at, value) CHANGE_(at, AND, value, "cordi_word_and(" #at ", " #value ")")
#define cordi_word_add(at, value) CHANGE_(at, ADD, value, "cordi_word_add(" #at ", " #value ")")
#define cordi_word_swap(at, seen, value) COMPARE_(at, seen, value, "cordi_word_swap(" #at ", " #value ")")
#define cordi_word_swap_at_once(at, seen, value) COMPARE_(at, seen, value, "cordi_word_swap(" #at ", " #value ")")

#endif
