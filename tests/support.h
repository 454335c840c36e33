/* tests/support.h - one body, every kind, every backend.
 *
 * MODE_TEST(name) { ... } is a body that runs once in each mode: coroutine on epoll, coroutine on uring, thread,
 * process. It runs inside a task of that kind, answers nothing, and checks with Check's ck_assert_*. Around it the
 * harness sees that descriptors, children and threads are back where they began.
 *
 *     MODE_TEST(recv_deadline_passes_etimedout) { ... mode.kind, mode.backend ... }
 *     int main(void) { return run_tests("socket", MODE(recv_deadline_passes_etimedout), PLAIN(parse_bad), END); }
 *
 * PLAIN_TEST(name) is a body that runs once, in the test's own main thread. Each test is one process with a time limit
 * of its own (Check's fork mode). skip("why") ends a test that cannot run here; the runner counts and names it.
 * An argument to the program (tests/NAME PATTERN) runs only the tests whose name contains it.
 */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <check.h>
#include <stdbool.h>

#include <cordage.h>

/* What ck_assert calls when it holds and when it fails; see support.c why these are not Check's own. */
void held(const char *file, int line);
_Noreturn void failed(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define _mark_point held
#define _ck_assert_failed failed

struct mode {
    const char *name; /* "coroutine-epoll" */
    cord_kind kind;
    const char *backend; /* what CORD_BACKEND is set to; NULL: as it comes */
};
extern struct mode mode; /* of the running test */

struct test {
    const char *name;
    void (*body)(void);
    int modes;   /* 1: in every mode, 0: once */
    int seconds; /* 0: 20 */
};
#define MODE_TEST(name) static void name(void)
#define PLAIN_TEST(name) static void name(void)
#define MODE(name) ((struct test){ #name, name, 1, 0 })
#define PLAIN(name) ((struct test){ #name, name, 0, 0 })
#define SLOW(test_, seconds_) ((struct test){ (test_).name, (test_).body, (test_).modes, (seconds_) })
#define END ((struct test){ 0 })
int run_tests(const char *subject, ...); /* struct test ..., END; the exit code */

_Noreturn void skip(const char *why);
void use_backend(const char *backend); /* or skips where it does not work, or CORD_TEST_BACKEND is the other */
void skip_without_processes(void);     /* where pidfd_open(2) is unknown, as to an older valgrind */

/* Starts fn as a task of the mode's kind (its argument copied), and joins it: asserts that it returned `value`. */
cord_task *start(cord_fn *fn, const void *arg, size_t arg_size);
void join(cord_task *task, int value);

/* Waits, bounded, until fn(arg) is true: for what has no event to wait for. Fails the test after 10 s. */
void eventually(bool (*fn)(void *), void *arg);

bool under_valgrind(void);  /* it walks a list of all stacks at each switch: a crowd must be small there */
int slow(void);             /* CORD_TEST_SLOW, 1 if unset: what a bound on time is multiplied by */
cord_deadline soon(void);   /* 10 s: a bound against hangs */
int open_fds(void);         /* descriptors open in this process */
int children(void);         /* child processes, zombies included */
const char *temp_dir(void); /* of this test's own; removed at the end */

/* A listener on a free port of loopback, its address as text, and a connected pair of streams. */
cord_socket listen_anywhere(char address[CORD_ADDRESS_TEXT], const char *transport);
void connected_pair(cord_socket ret[2]); /* tcp */

/* ck_assert for answers: prints the code's words too. */
#define ok(rc) ok_(#rc, (long)(rc), __FILE__, __LINE__)
void ok_(const char *what, long got, const char *file, int line);
#define is(rc, want) is_(#rc, (long)(rc), (long)(want), __FILE__, __LINE__)
void is_(const char *what, long got, long want, const char *file, int line);

#endif
