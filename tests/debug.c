/* tests/debug.c - what tells why a program stands still: CORD_DEBUG, and the answer to all tasks being asleep.
 *
 * Each test runs tests/programs/stand_still.c with the name of a scenario and reads what it says.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/ctx.h"

/* --- tests: tools --- */

struct program {
    int pid, input, output;
    char text[65536]; /* all it has said */
};

static void run_program(struct program *program, const char *scenario, const char *backend, const char *debug)
{
    int input_pipe[2], output_pipe[2];
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 32);
    ck_assert_int_gt((int)length, 0);
    path[length] = '\0';
    strcpy(strrchr(path, '/'), "/programs/stand_still");
    memset(program, 0, sizeof *program);
    ck_assert_int_eq(pipe2(input_pipe, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(output_pipe, O_CLOEXEC), 0);
    program->pid = fork();
    if (program->pid == 0) {
        signal(SIGQUIT, SIG_DFL); /* a shell lets what it starts in the background ignore it */
        setenv("CORD_BACKEND", backend, 1);
        setenv("CORD_DEBUG", debug, 1);
        dup2(input_pipe[0], 0);
        dup2(output_pipe[1], 1);
        dup2(output_pipe[1], 2);
        execl(path, path, scenario, (char *)NULL);
        _exit(127);
    }
    close(input_pipe[0]);
    close(output_pipe[1]);
    program->input = input_pipe[1];
    program->output = output_pipe[0];
}

/* Reads until the text from `from` on contains `words`; where they are, NULL at the end of all output or too late. */
static char *read_until(struct program *program, size_t from, const char *words, int64_t deadline)
{
    size_t used = strlen(program->text);
    while (strstr(program->text + from, words) == NULL) {
        struct pollfd more = { .fd = program->output, .events = POLLIN };
        int64_t left = (deadline - cord_now()) / CORD_MILLISECOND;
        if (left <= 0 || poll(&more, 1, (int)left) <= 0 || used + 1 >= sizeof program->text)
            return NULL;
        ssize_t n = read(program->output, program->text + used, sizeof program->text - 1 - used);
        if (n <= 0)
            return NULL;
        used += (size_t)n;
        program->text[used] = '\0';
    }
    return strstr(program->text + from, words);
}

static char *expect(struct program *program, const char *words)
{
    char *found = read_until(program, 0, words, soon().at);
    ck_assert_msg(found != NULL, "no \"%s\" in: %s", words, program->text);
    return found;
}

/* Asks for reports until one says this; the beginning of that report. */
static char *dump_until(struct program *program, const char *words)
{
    for (int64_t deadline = soon().at; cord_now() < deadline;) {
        size_t from = strlen(program->text);
        ck_assert_int_eq(kill(program->pid, SIGQUIT), 0);
        if (read_until(program, from, "addr2line -e", cord_now() + slow() * CORD_SECOND) != NULL &&
            strstr(program->text + from, words) != NULL)
            return program->text + from;
        usleep(50 * 1000);
    }
    ck_abort_msg("no report says \"%s\": %s", words, program->text);
}

static int finish(struct program *program)
{
    int status;
    close(program->input);
    (void)read_until(program, 0, "\001", soon().at);
    close(program->output);
    while (waitpid(program->pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Copies the line that contains `words`. */
static void line_with(char line[512], const char *text, const char *words)
{
    const char *at = strstr(text, words);
    ck_assert_msg(at != NULL, "no \"%s\" in: %s", words, text);
    while (at > text && at[-1] != '\n')
        at--;
    snprintf(line, 512, "%.*s", (int)strcspn(at, "\n"), at);
}

static void has(const char *line, const char *words)
{
    ck_assert_msg(strstr(line, words) != NULL, "no \"%s\" in: %s", words, line);
}

/* "started at FILE+0x123", and there is a line of this source. */
static void started_here(const char *line)
{
    char file[256], command[400], answer[400] = "";
    unsigned long number;
    const char *at = strstr(line, "started at ");
    ck_assert_msg(at != NULL && strrchr(at, '+') != NULL, "no place in: %s", line);
    at += strlen("started at ");
    snprintf(file, sizeof file, "%.*s", (int)(strrchr(at, '+') - at), at);
    ck_assert_int_eq(sscanf(strrchr(at, '+'), "+%lx", &number), 1);
    snprintf(command, sizeof command, "addr2line -e %s %#lx 2>&1 || echo none", file, number);
    FILE *out = popen(command, "r");
    ck_assert_ptr_nonnull(out);
    ck_assert_ptr_nonnull(fgets(answer, sizeof answer, out));
    pclose(out);
    if (strstr(answer, "not found") == NULL)
        has(answer, "stand_still.c:");
}

static void skip_where_others_have_threads(void)
{
    if (CORDI_TSAN || under_valgrind())
        skip("the tool has a thread or handlers of its own");
}

static const char *const backends[] = { "epoll", "uring" };

/* --- tests --- */

static void look_at_all_kinds(const char *backend)
{
    struct program program;
    char line[512], name[64];
    run_program(&program, "kinds", backend, "dump");
    expect(&program, "ready");
    dump_until(&program, "\"sleeper\" (thread) has waited");
    char *text = dump_until(&program, "for a sleep");
    snprintf(name, sizeof name, "(%s, thread %d): 4 coroutines, 1 ready", backend, program.pid);
    has(text, name);
    line_with(line, text, "\"reader\"");
    has(line, "(coroutine) has waited");
    has(line, "for data on descriptor ");
    started_here(line);
    line_with(line, text, "\"waiter\"");
    has(line, "for an event");
    started_here(line);
    line_with(line, text, "\"sleeper\"");
    has(line, "for a sleep");
    started_here(line);
    line_with(line, text, "\"yielder\"");
    has(line, "(coroutine) is ready");
    line_with(line, dump_until(&program, " s for a sleep; started"), "\"child\" (process ");
    started_here(line);
    is(finish(&program), 0);
}

PLAIN_TEST(dump_shows_each_kind_and_what_it_waits_for)
{
    use_backend("epoll");
    look_at_all_kinds("epoll");
}

PLAIN_TEST(dump_shows_each_kind_and_what_it_waits_for_on_uring)
{
    use_backend("uring");
    if (CORDI_TSAN)
        skip("this tool runs a handler late in io_uring_enter(2)");
    look_at_all_kinds("uring");
}

PLAIN_TEST(dump_says_how_long_a_wait_lasts)
{
    struct program program;
    char line[512];
    double since = 0;
    run_program(&program, "kinds", "epoll", "dump");
    expect(&program, "ready");
    for (int64_t deadline = soon().at; since < 0.3 && cord_now() < deadline;) {
        line_with(line, dump_until(&program, "\"waiter\""), "\"waiter\"");
        ck_assert_int_eq(sscanf(strstr(line, "has waited"), "has waited %lf s", &since), 1);
        usleep(50 * 1000);
    }
    ck_assert_double_ge(since, 0.3);
    is(finish(&program), 0);
}

PLAIN_TEST(dump_of_a_child_process_is_its_own)
{
    struct program program;
    char line[512], words[64];
    int pid;
    run_program(&program, "kinds", "epoll", "dump");
    expect(&program, "ready");
    line_with(line, dump_until(&program, "\"child\" (process "), "\"child\"");
    ck_assert_int_eq(sscanf(strstr(line, "(process"), "(process %d)", &pid), 1);
    snprintf(words, sizeof words, "the tasks of process %d:", pid);
    do /* a child that has not set its handler yet would end */
        line_with(line, dump_until(&program, "\"child\" (process "), "\"child\"");
    while (strstr(line, "has waited") == NULL);
    ck_assert_int_eq(kill(pid, SIGQUIT), 0);
    expect(&program, words);
    is(finish(&program), 0);
}

PLAIN_TEST(dump_names_the_coroutine_that_keeps_its_loop)
{
    for (int i = 0; i < 2; i++) {
        struct program program;
        char line[512];
        run_program(&program, "stuck", backends[i], "dump");
        expect(&program, "ready");
        ck_assert_int_eq(kill(program.pid, SIGQUIT), 0);
        expect(&program, "stand still; started at ");
        line_with(line, program.text, "has been running");
        has(line, "\"spinner\" for ");
        started_here(line);
        is(finish(&program), 0);
    }
}

PLAIN_TEST(dump_of_a_plain_program_shows_the_background_loop)
{
    for (int i = 0; i < 2; i++) {
        struct program program;
        char line[512];
        run_program(&program, "plain", backends[i], "dump");
        expect(&program, "ready");
        dump_until(&program, "\"reader\" (coroutine) has waited");
        char *text = dump_until(&program, "\"main\" (thread) has waited");
        line_with(line, text, "\"main\" (thread)");
        has(line, "for data on descriptor ");
        line_with(line, text, "\"cord-loop\" (thread)");
        is(finish(&program), 0);
    }
}

PLAIN_TEST(a_long_turn_is_reported_and_short_ones_are_not)
{
    for (int i = 0; i < 2; i++) {
        struct program program;
        char line[512];
        int length = 0;
        run_program(&program, "turns", backends[i], "turns");
        is(finish(&program), 0);
        line_with(line, program.text, "task \"cruncher\" ran for ");
        has(line, " ms without waiting");
        ck_assert_int_eq(sscanf(line, "task \"cruncher\" ran for %d ms", &length), 1);
        ck_assert_int_ge(length, 150);
        const char *other = strstr(program.text, "task \"main\" ran for ");
        if (other != NULL) { /* it lost its CPU meanwhile; all its turns together are a second */
            ck_assert_int_eq(sscanf(other, "task \"main\" ran for %d ms", &length), 1);
            ck_assert_int_lt(length, 1000);
        }
    }
}

PLAIN_TEST(debug_word_that_is_unknown_is_named)
{
    struct program program;
    run_program(&program, "nothing", "epoll", "turns,dmup");
    is(finish(&program), 0);
    ck_assert_str_eq(program.text,
                     "CORD_DEBUG: \"dmup\" is unknown; choose dump, turns or stacks, with commas between\n");
}

PLAIN_TEST(two_coroutines_with_two_locks_edeadlk)
{
    skip_where_others_have_threads();
    for (int i = 0; i < 2; i++) {
        struct program program;
        char line[512];
        run_program(&program, "locks", backends[i], i == 0 ? "" : "dump");
        is(finish(&program), 0);
        line_with(line, program.text, "locks: ");
        has(line, "all 4 tasks are asleep and nothing can wake them: ");
        has(line, "\"alice\" waits for a lock of \"bob\", \"bob\" waits for a lock of \"alice\"");
        has(program.text, "unwound");
        line_with(line, program.text, "\"alice\" (coroutine)");
        has(line, i == 0 ? "waits for a lock that \"bob\" holds; started at "
                         : " s for a lock that \"bob\" holds (taken at ");
        has(line, "; started at ");
    }
}

PLAIN_TEST(all_asleep_after_helpers_threads_and_processes_edeadlk)
{
    skip_where_others_have_threads();
    for (int i = 0; i < 2; i++) {
        struct program program;
        run_program(&program, "used all", backends[i], "");
        is(finish(&program), 0);
        has(program.text, "used all: the only task is asleep and nothing can wake it: \"main\" waits for an event");
    }
}

/* All at once, since each takes a while. */
static void nobody_is_taken_for_asleep(const char *backend)
{
    static const char *const names[] = { "other loop",  "several loops", "foreign thread",        "own thread",
                                         "own process", "blocking call", "given up call",         "input",
                                         "timer",       "shared event",  "signal through a pipe", "signal alone" };
    enum { NAMES = sizeof names / sizeof *names };
    static struct program programs[NAMES];
    for (int i = 0; i < NAMES; i++)
        run_program(&programs[i], names[i], backend, "");
    usleep(600 * 1000); /* before the input ends: longer than a loop dozes before it asks */
    for (int i = 0; i < NAMES; i++) {
        int status = finish(&programs[i]);
        ck_assert_msg(status == 0 && strcmp(programs[i].text, "woken\n") == 0, "%s: %d: %s", names[i], status,
                      programs[i].text);
    }
}

PLAIN_TEST(who_may_be_woken_is_not_taken_for_asleep)
{
    use_backend("epoll");
    nobody_is_taken_for_asleep("epoll");
}

PLAIN_TEST(who_may_be_woken_is_not_taken_for_asleep_on_uring)
{
    use_backend("uring");
    nobody_is_taken_for_asleep("uring");
}

int main(void)
{
    return run_tests(
        "debug", PLAIN(dump_shows_each_kind_and_what_it_waits_for),
        PLAIN(dump_shows_each_kind_and_what_it_waits_for_on_uring), PLAIN(dump_says_how_long_a_wait_lasts),
        PLAIN(dump_of_a_child_process_is_its_own), PLAIN(dump_names_the_coroutine_that_keeps_its_loop),
        PLAIN(dump_of_a_plain_program_shows_the_background_loop), PLAIN(a_long_turn_is_reported_and_short_ones_are_not),
        PLAIN(debug_word_that_is_unknown_is_named), PLAIN(two_coroutines_with_two_locks_edeadlk),
        PLAIN(all_asleep_after_helpers_threads_and_processes_edeadlk), PLAIN(who_may_be_woken_is_not_taken_for_asleep),
        PLAIN(who_may_be_woken_is_not_taken_for_asleep_on_uring), END);
}
