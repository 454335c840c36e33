/* tests/harness.c - the harness itself: a broken body is seen as a failure in every mode, a skip as a skip.
 *
 * With HARNESS_BROKEN set this program is a collection of tests that must not pass; the real tests run it so and read
 * the lines that it prints. */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

MODE_TEST(asserts)
{
    ck_assert_int_eq(1, 2);
}

MODE_TEST(crashes)
{
    abort();
}

MODE_TEST(leaks_descriptor)
{
    ck_assert_int_ge(open("/dev/null", O_RDONLY), 0);
}

MODE_TEST(leaks_child)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
}

MODE_TEST(hangs)
{
    for (;;)
        pause();
}

MODE_TEST(skips)
{
    skip("asked to");
}

static const char *modes[] = { "coroutine-epoll", "coroutine-uring", "thread", "process" };

/* Runs the broken tests of that name and asserts that each mode's line is `RESULT broken.NAME[MODE]...WORDS`. */
static void expect(const char *name, const char *result, const char *words)
{
    char self[512], command[768], line[2048];
    int seen = 0;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    ck_assert_int_gt(n, 0);
    self[n] = '\0';
    snprintf(command, sizeof command, "HARNESS_BROKEN=1 '%s' broken.%s 2>&1", self, name);
    FILE *output = popen(command, "r");
    ck_assert_ptr_nonnull(output);
    while (fgets(line, sizeof line, output))
        for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
            char want[128];
            snprintf(want, sizeof want, " broken.%s[%s]", name, modes[i]);
            char *at = strstr(line, want);
            if (!at)
                continue;
            seen++;
            bool no_ring = i == 1 && strncmp(line, "skip ", 5) == 0;
            *at = '\0';
            ck_assert_msg(no_ring || (strcmp(line, result) == 0 && strstr(at + 1, words)), "%s %s", line, at + 1);
        }
    pclose(output);
    ck_assert_int_ge(seen, getenv("CORD_TEST_BACKEND") ? 3 : 4);
}

PLAIN_TEST(body_that_asserts_fails)
{
    expect("asserts", "not ok", "1 == 2");
}

PLAIN_TEST(body_that_crashes_fails)
{
    expect("crashes", "not ok", "");
}

PLAIN_TEST(body_that_leaks_a_descriptor_fails)
{
    expect("leaks_descriptor", "not ok", "/dev/null");
}

PLAIN_TEST(body_that_leaks_a_child_fails)
{
    expect("leaks_child", "not ok", "");
}

PLAIN_TEST(body_that_hangs_fails)
{
    expect("hangs", "not ok", "imeout");
}

PLAIN_TEST(body_that_skips_is_skipped)
{
    expect("skips", "skip", "asked to");
}

MODE_TEST(sound_body_passes)
{
    ck_assert_ptr_nonnull(temp_dir());
    is(access(temp_dir(), W_OK), 0);
}

int main(void)
{
    if (getenv("HARNESS_BROKEN"))
        return run_tests("broken", MODE(asserts), MODE(crashes), MODE(leaks_descriptor), MODE(leaks_child),
                         SLOW(MODE(hangs), 1), MODE(skips), END);
    return run_tests("harness", PLAIN(body_that_asserts_fails), PLAIN(body_that_crashes_fails),
                     PLAIN(body_that_leaks_a_descriptor_fails), PLAIN(body_that_leaks_a_child_fails),
                     SLOW(PLAIN(body_that_hangs_fails), 60), PLAIN(body_that_skips_is_skipped), MODE(sound_body_passes),
                     END);
}
