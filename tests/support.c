#include "support.h"

/* How a test runs. Each test and mode is a Check suite of its own, run in a forked child with a time limit; its result
 * is printed at once, as `ok NAME`, `not ok NAME: why` or `skip NAME: why` (tools/run_tests.py reads these lines; what
 * else was printed since the last of them belongs to the test). ck_assert in a coroutine or thread ends the child,
 * in a process that the test started it leaves its words in shared memory and ends that process; the test has failed.
 * Check's own way there, a stream of messages under a lock, is open only to the process that Check forked: a fork
 * beside another thread's ck_assert would leave the lock taken in the new process for ever.
 *
 * Before and after the body a census is taken: descriptors, children, threads. What the library keeps for itself for
 * good does not count: its event, epoll and ring descriptors (bounded), threads and processes named "cord-...".
 *
 * In the environment: CORD_TEST_SLOW multiplies every time limit (valgrind, sanitizers); CORD_TEST_BACKEND=epoll
 * leaves the other backend out; CORD_TEST_SKIP is words, and a test whose name contains one is skipped; CK_FORK=no runs
 * in one process, for gdb. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/ctx.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#undef _ck_assert_failed /* here Check's own is meant */

enum { SECONDS = 20, KEPT_DESCRIPTORS = 16, FAILED = 1, SKIPPED = 77 };

struct mode mode;

/* Shared by all processes of a test. */
struct report {
    atomic_int said;            /* SKIPPED, or FAILED in a process of its own; the first word counts */
    char why[1024];             /* its words */
    _Atomic(const char *) file; /* the last assertion that held */
    atomic_int line;
};

static struct {
    const struct test *test;
    struct report *report;
    pid_t pid; /* the process that Check forked */
    char directory[64];
} now;

struct census {
    int descriptors, kept, children, threads;
};

int slow(void)
{
    const char *text = getenv("CORD_TEST_SLOW");
    int factor = text ? atoi(text) : 1;
    return factor > 0 ? factor : 1;
}

bool under_valgrind(void)
{
    return RUNNING_ON_VALGRIND != 0;
}

cord_deadline soon(void)
{
    return cord_in(10 * slow() * CORD_SECOND);
}

/* The census. */

static bool read_text(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, buf, size - 1);
    close(fd);
    buf[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Is it one of those that a runtime keeps: an event counter, an epoll, a ring? */
static bool is_kept(const char *target)
{
    return strstr(target, "[eventfd") || strstr(target, "[eventpoll]") || strstr(target, "[io_uring]");
}

/* Counts the descriptors; with list (or NULL) it also writes what they are. */
static void count_descriptors(struct census *census, char *list, size_t size)
{
    DIR *dir = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        char path[64], target[128];
        if (!isdigit((unsigned char)e->d_name[0]) || atoi(e->d_name) == dirfd(dir))
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%.20s", e->d_name);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        *(is_kept(target) ? &census->kept : &census->descriptors) += 1;
        if (list && atoi(e->d_name) > 2) {
            size_t used = strlen(list);
            snprintf(list + used, size - used, " %.20s=%s", e->d_name, target);
        }
    }
    closedir(dir);
}

/* Counts /proc/PID or /proc/self/task/TID entries by their stat line: "1234 (name) S 1 ...". */
static int count_stat(const char *directory, pid_t parent)
{
    int count = 0;
    DIR *dir = opendir(directory);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        char path[96], stat[512];
        int ppid;
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        snprintf(path, sizeof path, "%s/%.20s/stat", directory, e->d_name);
        if (!read_text(path, stat, sizeof stat))
            continue; /* it has ended meanwhile */
        char *name = strchr(stat, '('), *after = strrchr(stat, ')');
        if (!name || !after || sscanf(after, ") %*c %d", &ppid) != 1)
            continue;
        if ((parent == 0 || ppid == parent) && strncmp(name, "(cord-", 6) != 0)
            count++;
    }
    closedir(dir);
    return count;
}

int open_fds(void)
{
    struct census census = { 0 };
    count_descriptors(&census, NULL, 0);
    return census.descriptors;
}

int children(void)
{
    return count_stat("/proc", getpid());
}

static struct census take_census(void)
{
    struct census census = { 0 };
    count_descriptors(&census, NULL, 0);
    census.children = children();
    census.threads = count_stat("/proc/self/task", 0);
    if (CORDI_TSAN) /* after a fork it has one thread of its own, and one more with the first of ours */
        census.threads = census.threads > 3 ? census.threads : 3;
    return census;
}

/* Is everything back? What ends without being waited for (a thread's last instructions) gets a moment. */
static void settle(struct census before)
{
    struct census after = take_census();
    int64_t end = cord_now() + slow() * CORD_SECOND;
    while ((after.descriptors > before.descriptors || after.children > before.children ||
            after.threads > before.threads) &&
           cord_now() < end) {
        usleep(1000);
        after = take_census();
    }
    char list[1024] = "";
    count_descriptors(&(struct census){ 0 }, list, sizeof list);
    ck_assert_msg(after.descriptors == before.descriptors, "%d descriptors at the end, %d at the start:%s",
                  after.descriptors, before.descriptors, list);
    ck_assert_msg(after.kept <= before.kept + KEPT_DESCRIPTORS, "%d descriptors of the runtime are left", after.kept);
    ck_assert_msg(after.children <= before.children, "%d child processes are left", after.children - before.children);
    ck_assert_msg(after.threads <= before.threads, "%d threads are left", after.threads - before.threads);
}

/* Running one test. */

/* Ends the calling process with words for all of them. */
static _Noreturn void leave(int what, const char *why)
{
    int nothing = 0;
    if (atomic_compare_exchange_strong(&now.report->said, &nothing, what))
        snprintf(now.report->why, sizeof now.report->why, "%s", why);
    _exit(what);
}

void skip(const char *why)
{
    leave(SKIPPED, why);
}

void skip_without_processes(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (fd < 0)
        skip("no pidfd_open(2) here");
    close(fd);
}

static void skip_for(long rc)
{
    if (rc == -ENOSYS)
        skip_without_processes();
}

void held(const char *file, int line)
{
    atomic_store_explicit(&now.report->file, file, memory_order_relaxed);
    atomic_store_explicit(&now.report->line, line, memory_order_relaxed);
}

void failed(const char *file, int line, const char *what, const char *format, ...)
{
    char words[512] = "", why[sizeof now.report->why];
    va_list list;
    va_start(list, format);
    if (format)
        vsnprintf(words, sizeof words, format, list);
    va_end(list);
    if (getpid() == now.pid)
        _ck_assert_failed(file, line, what, words[0] ? "%s" : NULL, words);
    snprintf(why, sizeof why, "%s:%d: %s", file, line, words[0] ? words : what);
    leave(FAILED, why);
}

static int run_body(void *unused)
{
    (void)unused;
    now.test->body();
    return 0;
}

static int run_body_in_process(void *unused)
{
    struct census before = take_census();
    run_body(unused);
    settle(before);
    return 0;
}

void use_backend(const char *backend)
{
    const char *only = getenv("CORD_TEST_BACKEND");
    char why[256] = "";
    if (only && strcmp(only, backend) != 0)
        skip("the other backend is asked for");
    setenv("CORD_BACKEND", backend, 1);
    if (strcmp(cord_backend(why, sizeof why), backend) != 0) {
        ck_assert_msg(strcmp(backend, "uring") == 0, "no %s backend: %s", backend, why);
        skip(why[0] ? why : "no io_uring here");
    }
}

static void run_in_mode(void)
{
    if (mode.backend)
        use_backend(mode.backend);
    if (mode.kind == CORD_COROUTINE) {
        int rc = cord_run(run_body, NULL, NULL);
        ck_assert_msg(rc == 0, "cord_run answered %d: %s", rc, cord_error_detail());
        return;
    }
    cord_task *task = NULL;
    bool process = mode.kind == CORD_PROCESS;
    ok(cord_task_start(&task, process ? run_body_in_process : run_body, NULL, 0,
                       &(cord_task_options){ .kind = mode.kind, .name = "body" }));
    cord_outcome out = { 0 };
    int rc = cord_task_join(task, CORD_FOREVER, &out);
    ck_assert_msg(rc == 0, "join of the body answered %d: %s", rc, cord_error_detail());
    ck_assert_msg(out.how == CORD_RETURNED && out.value == 0, "the %s ended with %s %d%s%s", mode.name,
                  out.how == CORD_SIGNALED ? "signal" : "value", out.value, out.error[0] ? ": " : "", out.error);
    cord_task_free(task);
}

START_TEST(one)
{
    now.pid = getpid();
    signal(SIGTERM, SIG_DFL); /* Check's handlers would end the whole group of processes */
    signal(SIGINT, SIG_DFL);
    struct census before = take_census();
    if (now.test->modes)
        run_in_mode();
    else
        run_body(NULL);
    settle(before);
}
END_TEST

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

/* Runs it and prints its line; true unless it failed. */
static bool run_one(const char *name)
{
    const char *tmp = getenv("TMPDIR");
    if (!tmp || strlen(tmp) > 30) /* a UNIX path must have room in it */
        tmp = "/tmp";
    snprintf(now.directory, sizeof now.directory, "%s/cordage-XXXXXX", tmp);
    if (!mkdtemp(now.directory))
        perror(now.directory);
    memset(now.report, 0, sizeof *now.report);

    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, (now.test->seconds ? now.test->seconds : SECONDS) * slow());
    tcase_add_test(tcase, one);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_SILENT);
    TestResult **results = srunner_results(runner);
    int said = atomic_load(&now.report->said);
    bool passed = said == SKIPPED || (tr_rtype(results[0]) == CK_PASS && said != FAILED);
    bool ended = tr_rtype(results[0]) == CK_ERROR && atomic_load(&now.report->file); /* by a signal or the time limit */
    char why[1024];
    if (said == FAILED)
        snprintf(why, sizeof why, "%s", now.report->why);
    else
        snprintf(why, sizeof why, "%s:%d: %s", ended ? atomic_load(&now.report->file) : tr_lfile(results[0]),
                 ended ? atomic_load(&now.report->line) : tr_lno(results[0]), tr_msg(results[0]));
    for (char *p = why; (p = strchr(p, '\n'));)
        *p = ' ';
    free(results);
    srunner_free(runner);
    nftw(now.directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

    if (!passed)
        printf("not ok %s: %s\n", name, why);
    else if (said == SKIPPED)
        printf("skip %s: %s\n", name, now.report->why);
    else
        printf("ok %s\n", name);
    return passed;
}

/* One of the words of CORD_TEST_SKIP is in its name: the test is told of, and not run. */
static bool left_out(const char *name)
{
    char words[512];
    snprintf(words, sizeof words, "%s", getenv("CORD_TEST_SKIP") ? getenv("CORD_TEST_SKIP") : "");
    for (char *rest, *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (strstr(name, word)) {
            printf("skip %s: CORD_TEST_SKIP names \"%s\"\n", name, word);
            return true;
        }
    return false;
}

static bool run_modes(const char *subject, const struct test *test, const char *pattern)
{
    static const struct mode modes[] = {
        { "coroutine-epoll", CORD_COROUTINE, "epoll" },
        { "coroutine-uring", CORD_COROUTINE, "uring" },
        { "thread", CORD_THREAD, NULL },
        { "process", CORD_PROCESS, NULL },
    };
    const char *only = getenv("CORD_TEST_BACKEND");
    bool passed = true;
    now.test = test;
    for (size_t i = 0; i < (test->modes ? sizeof modes / sizeof *modes : 1); i++) {
        char name[256];
        mode = test->modes ? modes[i] : (struct mode){ "plain", CORD_COROUTINE, NULL };
        if (only && mode.backend && strcmp(only, mode.backend) != 0)
            continue;
        snprintf(name, sizeof name, test->modes ? "%s.%s[%s]" : "%s.%s", subject, test->name, mode.name);
        if (strstr(name, pattern) && !left_out(name))
            passed = run_one(name) && passed;
    }
    return passed;
}

int run_tests(const char *subject, ...)
{
    /* The program's first argument; main() does not hand it over. */
    char arguments[512] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, arguments, sizeof arguments - 2) : 0;
    close(fd);
    arguments[n > 0 ? n + 1 : 0] = '\0';
    const char *pattern = n > 0 ? arguments + strlen(arguments) + 1 : "";

    setvbuf(stdout, NULL, _IOLBF, 0);
    now.report = mmap(NULL, sizeof *now.report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (now.report == MAP_FAILED)
        return 2;
    bool passed = true;
    va_list list;
    va_start(list, subject);
    for (struct test test; (test = va_arg(list, struct test)).name;)
        passed = run_modes(subject, &test, pattern) && passed;
    va_end(list);
    return passed ? 0 : 1;
}

/* What bodies use. */

cord_task *start(cord_fn *fn, const void *arg, size_t arg_size)
{
    cord_task *task = NULL;
    ok(cord_task_start(&task, fn, arg, arg_size, &(cord_task_options){ .kind = mode.kind }));
    return task;
}

void join(cord_task *task, int value)
{
    cord_outcome out = { 0 };
    int rc = cord_task_join(task, soon(), &out);
    ck_assert_msg(rc == 0, "join answered %d: %s", rc, cord_error_detail());
    if (out.value != value)
        skip_for(out.value);
    ck_assert_msg(out.how != CORD_SIGNALED, "%s was killed by signal %d", cord_task_name(task), out.value);
    ck_assert_msg(out.value == value, "%s answered %d, not %d%s%s", cord_task_name(task), out.value, value,
                  out.error[0] ? ": " : "", out.error);
    ck_assert_msg((out.how == CORD_RETURNED) == (value >= 0), "%s ended in the wrong way: %d", cord_task_name(task),
                  (int)out.how);
    cord_task_free(task);
}

void eventually(bool (*fn)(void *), void *arg)
{
    int64_t end = cord_now() + 10 * slow() * CORD_SECOND;
    while (!fn(arg)) {
        ck_assert_msg(cord_now() < end, "what was awaited did not come");
        if (cord_sleep(CORD_MILLISECOND) < 0)
            usleep(1000); /* a cancelled task may wait for something too */
    }
}

const char *temp_dir(void)
{
    return now.directory;
}

cord_socket listen_anywhere(char address[CORD_ADDRESS_TEXT], const char *transport)
{
    static atomic_int number;
    cord_socket listener = { 0 };
    cord_address local;
    if (strncmp(transport, "unix", 4) == 0)
        snprintf(address, CORD_ADDRESS_TEXT, "%s:%s/%d-%d", transport, now.directory, getpid(),
                 atomic_fetch_add(&number, 1));
    else
        snprintf(address, CORD_ADDRESS_TEXT, "%s:127.0.0.1:0", transport);
    ok(cord_listen(&listener, address, NULL));
    ok(cord_local(listener, &local));
    cord_address_text(&local, address, CORD_ADDRESS_TEXT);
    return listener;
}

void connected_pair(cord_socket ret[2])
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp");
    ok(cord_connect(&ret[0], address, NULL, soon()));
    ok(cord_accept(listener, &ret[1], NULL, soon()));
    cord_close(&listener);
}

void ok_(const char *what, long got, const char *file, int line)
{
    if (got < 0) {
        skip_for(got);
        failed(file, line, what, "%s is %ld: %s", what, got, cord_error_detail());
    }
    held(file, line);
}

void is_(const char *what, long got, long want, const char *file, int line)
{
    if (got != want) {
        skip_for(got);
        failed(file, line, what, "%s is %ld (%s), not %ld (%s)", what, got, got < 0 ? cord_error_detail() : "", want,
               want < 0 ? cord_strerror((int)want) : "");
    }
    held(file, line);
}

/* A process task is a fork of a program with threads, after which it may start threads itself. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}
