/* tests/overflow.c - what a task that overflows its stack leaves behind: a report and a death by SIGSEGV. Each case is
 * a run of tests/programs/overflow, which really overflows. And how deep tasks go that do not: CORD_DEBUG=stacks. */
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/ctx.h"

struct death {
    int status;                     /* as waitpid(2) gives it */
    char printed[256], error[2048]; /* on standard output, on standard error */
};

static void program_path(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    ck_assert_int_gt(length, 0);
    path[length] = '\0';
    char *name = strrchr(path, '/') + 1;
    snprintf(name, size - (size_t)(name - path), "programs/overflow");
}

static void read_file(const char *name, char *text, size_t size)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", temp_dir(), name);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void become(const char *path, const char *name)
{
    char output[300], error[300];
    snprintf(output, sizeof output, "%s/output", temp_dir());
    snprintf(error, sizeof error, "%s/error", temp_dir());
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    if (freopen(output, "w", stdout) != NULL && freopen(error, "w", stderr) != NULL)
        execl(path, path, name, (char *)NULL);
    _exit(127);
}

static struct death run(const char *name)
{
    struct death death;
    char path[300];
    if (CORDI_ASAN || CORDI_TSAN)
        skip("a sanitizer handles SIGSEGV itself");
    if (under_valgrind())
        skip("valgrind handles SIGSEGV itself");
    program_path(path, sizeof path);
    (void)temp_dir();
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        become(path, name);
    is(waitpid(pid, &death.status, 0), pid);
    read_file("output", death.printed, sizeof death.printed);
    read_file("error", death.error, sizeof death.error);
    return death;
}

static void died_by(const struct death *death, int signo)
{
    if (!WIFSIGNALED(death->status) || WTERMSIG(death->status) != signo)
        ck_abort_msg("status %#x, \"%s\"", (unsigned)death->status, death->error);
}

/* The report, and that it names the place which the program printed. */
static void reported(const struct death *death, const char *begin)
{
    char path[300];
    unsigned long from, to, at;
    program_path(path, sizeof path);
    ck_assert_msg(strncmp(death->error, begin, strlen(begin)) == 0, "\"%s\"", death->error);
    const char *place = strstr(death->error, "; started at ");
    ck_assert_ptr_nonnull(place);
    place += strlen("; started at ");
    ck_assert_msg(strncmp(place, path, strlen(path)) == 0, "%s", place);
    is(sscanf(place + strlen(path), "+0x%lx", &at), 1);
    is(sscanf(death->printed, "place %lx %lx", &from, &to), 2);
    ck_assert_msg(at > from && at < to, "%#lx is not within %#lx and %#lx", at, from, to);
    ck_assert_ptr_eq(strchr(death->error, '\n'), strrchr(death->error, '\n')); /* one line */
}

#define COROUTINE(size) "cordage: task \"deep\" (coroutine) overflowed its stack of " size " bytes; "

PLAIN_TEST(coroutine_is_reported_and_dies_by_sigsegv)
{
    struct death death = run("coroutine");
    died_by(&death, SIGSEGV);
    reported(&death, COROUTINE("65536"));
    ck_assert_ptr_nonnull(strstr(death.error, "; give it more with .stack_size\n"));
}

PLAIN_TEST(coroutine_with_a_size_of_its_own_is_reported_with_it)
{
    struct death death = run("large");
    died_by(&death, SIGSEGV);
    reported(&death, COROUTINE("262144"));
}

PLAIN_TEST(coroutine_without_a_name_that_holds_its_spin_bit_is_reported)
{
    struct death death = run("unnamed");
    died_by(&death, SIGSEGV);
    reported(&death, "cordage: task \"coroutine-1\" (coroutine) overflowed its stack of 65536 bytes; ");
}

PLAIN_TEST(coroutine_of_the_background_loop_is_reported)
{
    struct death death = run("background");
    died_by(&death, SIGSEGV);
    reported(&death, COROUTINE("65536"));
}

PLAIN_TEST(main_of_cord_run_is_reported)
{
    struct death death = run("main");
    died_by(&death, SIGSEGV);
    ck_assert_ptr_nonnull(strstr(death.error, "task \"main\" (coroutine) overflowed its stack of 131072 bytes"));
    ck_assert_ptr_nonnull(strstr(death.error, "programs/overflow+0x"));
}

PLAIN_TEST(serial_task_is_reported_as_the_task_whose_stack_it_used)
{
    struct death death = run("serial");
    died_by(&death, SIGSEGV);
    reported(&death, "cordage: task \"outer\" (coroutine) overflowed its stack of 65536 bytes; ");
}

PLAIN_TEST(thread_is_reported_and_dies_by_sigsegv)
{
    struct death death = run("thread");
    died_by(&death, SIGSEGV);
    reported(&death, "cordage: task \"deep\" (thread) overflowed its stack of 262144 bytes; ");
}

static void process_case(const char *name)
{
    struct death death = run(name);
    char end[32];
    is(death.status, 0); /* the parent lives */
    reported(&death, "cordage: task \"deep\" (process) overflowed its stack of ");
    snprintf(end, sizeof end, "ended %d %d\n", (int)CORD_SIGNALED, SIGSEGV);
    ck_assert_ptr_nonnull(strstr(death.printed, end));
    ck_assert_ptr_nonnull(strstr(death.error, "ulimit -s"));
}

PLAIN_TEST(process_is_reported_and_its_parent_goes_on)
{
    process_case("process");
}

PLAIN_TEST(process_of_a_plain_thread_is_reported)
{
    process_case("plain-process");
}

PLAIN_TEST(other_faults_are_not_reported_and_kill_as_before)
{
    static const char *const names[] = { "null", "null-thread", "kill", "foreign" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct death death = run(names[i]);
        died_by(&death, SIGSEGV);
        ck_assert_str_eq(death.error, "");
    }
}

PLAIN_TEST(handler_that_the_program_had_before_is_kept)
{
    struct death death = run("own-handler");
    is(WIFEXITED(death.status) ? WEXITSTATUS(death.status) : -1, 3);
    ck_assert_str_eq(death.error, "own handler\n");
}

PLAIN_TEST(signal_stack_that_the_thread_had_before_is_used)
{
    struct death death = run("own-stack");
    died_by(&death, SIGSEGV);
    reported(&death, COROUTINE("65536"));
}

PLAIN_TEST(coroutine_without_a_guard_is_reported_when_it_ends)
{
    struct death death = run("unguarded");
    if (WIFEXITED(death.status) && WEXITSTATUS(death.status) == 77)
        skip("locking this much memory is not allowed");
    died_by(&death, SIGABRT);
    ck_assert_ptr_nonnull(strstr(death.error, "raise vm.max_map_count"));
    ck_assert_ptr_nonnull(strstr(death.error, COROUTINE("65536")));
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

PLAIN_TEST(action_of_sigsegv_changes_with_the_first_task_and_not_before)
{
    struct sigaction action;
    if (CORDI_ASAN || CORDI_TSAN)
        skip("a sanitizer handles SIGSEGV itself");
    ok(sigaction(SIGSEGV, NULL, &action));
    ck_assert(action.sa_handler == SIG_DFL);
    join(start(nothing, NULL, 0), 0);
    ok(sigaction(SIGSEGV, NULL, &action));
    ck_assert(action.sa_handler != SIG_DFL);
}

/* --- CORD_DEBUG=stacks --- */

enum { DEEP = 20000 };
static char log_text[2048];

static void keep_log(const char *line)
{
    size_t length = strlen(log_text);
    snprintf(log_text + length, sizeof log_text - length, "%s\n", line);
}

static int use_much(void *arg)
{
    volatile char frame[DEEP];
    (void)arg;
    for (size_t i = 0; i < sizeof frame; i++) /* not by memset: a compiler may leave that out */
        frame[i] = 1;
    return frame[DEEP / 2] - 1;
}

static int measure_stacks(void *arg)
{
    cord_task_options much = { .name = "much" }, little = { .name = "little" };
    for (int i = 0; i < 40; i++) {
        cord_task *task;
        ok(cord_task_start(&task, i % 2 ? nothing : use_much, arg, 0, &much));
        ok(cord_task_join(task, CORD_FOREVER, NULL));
        cord_task_free(task);
    }
    for (int i = 0; i < 1234; i++) { /* also on the stacks that were used */
        cord_task *task;
        ok(cord_task_start(&task, nothing, arg, 0, &little));
        ok(cord_task_join(task, CORD_FOREVER, NULL));
        cord_task_free(task);
    }
    return 0;
}

/* The number behind `word`, which may have commas. */
static long number_behind(const char *text, const char *word)
{
    long number = 0;
    const char *at = strstr(text, word);
    ck_assert_msg(at != NULL, "no \"%s\" in \"%s\"", word, text);
    for (at += strlen(word); *at == ',' || (*at >= '0' && *at <= '9'); at++)
        number = *at == ',' ? number : number * 10 + *at - '0';
    return number;
}

PLAIN_TEST(deepest_use_of_stacks_is_told_by_place_when_asked_for)
{
    if (CORDI_ASAN || CORDI_TSAN || under_valgrind())
        skip("with such a tool stacks are used in other ways");
    setenv("CORD_DEBUG", "stacks", 1);
    cord_log_set(keep_log);
    ok(cord_run(measure_stacks, NULL, NULL));
    const char *much = strstr(log_text, "stacks: much (started at "), *little = strstr(log_text, "stacks: little (");
    ck_assert_msg(much != NULL && little != NULL && strstr(log_text, "stacks: main (") != NULL, "%s", log_text);
    is(number_behind(much, "): "), 40);
    is(number_behind(much, " of "), 65536);
    ck_assert_int_gt(number_behind(much, "deepest "), DEEP);
    is(number_behind(little, "): "), 1234);
    ck_assert_int_lt(number_behind(little, "deepest "), DEEP);
    ck_assert_int_gt(number_behind(little, "deepest "), 500);
}

PLAIN_TEST(use_of_stacks_is_not_told_when_not_asked_for)
{
    unsetenv("CORD_DEBUG");
    cord_log_set(keep_log);
    ok(cord_run(measure_stacks, NULL, NULL));
    ck_assert_str_eq(log_text, "");
}

int main(void)
{
    return run_tests(
        "overflow", PLAIN(coroutine_is_reported_and_dies_by_sigsegv),
        PLAIN(coroutine_with_a_size_of_its_own_is_reported_with_it),
        PLAIN(coroutine_without_a_name_that_holds_its_spin_bit_is_reported),
        PLAIN(coroutine_of_the_background_loop_is_reported), PLAIN(main_of_cord_run_is_reported),
        PLAIN(serial_task_is_reported_as_the_task_whose_stack_it_used), PLAIN(thread_is_reported_and_dies_by_sigsegv),
        PLAIN(process_is_reported_and_its_parent_goes_on), PLAIN(process_of_a_plain_thread_is_reported),
        PLAIN(other_faults_are_not_reported_and_kill_as_before), PLAIN(handler_that_the_program_had_before_is_kept),
        PLAIN(signal_stack_that_the_thread_had_before_is_used),
        PLAIN(coroutine_without_a_guard_is_reported_when_it_ends),
        PLAIN(action_of_sigsegv_changes_with_the_first_task_and_not_before),
        PLAIN(deepest_use_of_stacks_is_told_by_place_when_asked_for),
        PLAIN(use_of_stacks_is_not_told_when_not_asked_for), END);
}
