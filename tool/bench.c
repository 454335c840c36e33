/* `cordage bench`: what the library's parts cost on this machine, beside what one would use instead.
 *
 * The rows of a subject run in turn, round by round (A B C, A B C, ...): the speed of a shared machine changes over
 * seconds, so only what ran within the same round is compared, and a ratio is the median of the rounds' ratios. How
 * often a row does its work in a round is found out first, so that all rounds take the same time. CPU time is that of
 * the whole process and the children it waited for; the echo servers' (bench_tcp.c) is their own. Rejected: one long
 * run of each, which measures the neighbours; the best of the rounds, which no user gets.
 */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <jansson.h>

#include "tool.h"

enum { ROUNDS = 7 };

/* ---- measuring ---- */

/* Of one row, in each round; nanoseconds for each operation. */
struct figures {
    uint64_t count; /* operations a round; 0: the row cannot run here */
    double wall[ROUNDS], cpu[ROUNDS];
};

static int64_t cpu_now(void)
{
    struct timespec own;
    struct rusage children;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    return (own.tv_sec + children.ru_utime.tv_sec + children.ru_stime.tv_sec) * CORD_SECOND + own.tv_nsec +
           (children.ru_utime.tv_usec + children.ru_stime.tv_usec) * CORD_MICROSECOND;
}

static int measure(struct bench *b, const struct row *row, uint64_t count, int64_t *wall, int64_t *cpu)
{
    b->cpu = -1;
    int64_t cpu_before = cpu_now(), before = cord_now();
    int rc = row->run(b, row->which, count);
    *wall = cord_now() - before;
    *cpu = b->cpu >= 0 ? b->cpu : cpu_now() - cpu_before;
    if (cord_run_signal() != 0) /* rows that block the loop, or never wait, do not see that they are cancelled */
        return -ECANCELED;
    return rc;
}

/* How many operations take about `slice`. */
static int find_count(struct bench *b, const struct row *row, cord_span slice, uint64_t *ret)
{
    int64_t wall = 0, cpu;
    for (uint64_t count = 16;; count *= wall < slice / 64 ? 8 : 2) {
        int rc = measure(b, row, count, &wall, &cpu);
        if (rc == -ENOSYS) {
            *ret = 0;
            return 0;
        }
        if (rc < 0)
            return rc;
        if (wall > slice / 8) {
            double fitting = (double)count * (double)slice / (double)wall;
            *ret = fitting < 2 ? 2 : (uint64_t)fitting;
            return 0;
        }
    }
}

static int count_rows(const struct subject *subject)
{
    int n = 0;
    while (n < MOST_ROWS && subject->rows[n].name)
        n++;
    return n;
}

static int measure_subject(const struct subject *subject, struct bench *b, struct figures *figures, cord_span span)
{
    int rows = count_rows(subject), rc = 0;
    cord_span slice = span / (rows * (ROUNDS + 1));
    for (int i = 0; i < rows && rc == 0; i++)
        rc = find_count(b, &subject->rows[i], slice, &figures[i].count);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < rows && rc == 0; i++) {
            struct figures *f = &figures[i];
            int64_t wall = 0, cpu = 0;
            if (f->count)
                rc = measure(b, &subject->rows[i], f->count, &wall, &cpu);
            f->wall[round] = (double)wall / (double)f->count;
            f->cpu[round] = (double)cpu / (double)f->count;
        }
    return rc;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the rounds' values, each divided by that of `other` unless it is NULL. */
static double median(const double *values, const double *other)
{
    double sorted[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        sorted[i] = values[i] / (other ? other[i] : 1);
    qsort(sorted, ROUNDS, sizeof *sorted, by_size);
    return sorted[ROUNDS / 2];
}

/* ---- telling ---- */

static const char *show_time(char *buf, size_t size, double ns)
{
    const char *unit = ns < 1e3 ? "ns" : ns < 1e6 ? "us" : "ms";
    snprintf(buf, size, "%.1f %s", ns / (ns < 1e3 ? 1 : ns < 1e6 ? 1e3 : 1e6), unit);
    return buf;
}

static ssize_t print_table(const struct subject *subject, const struct figures *figures)
{
    char text[2048], each[32], cpu[32];
    size_t used = (size_t)snprintf(text, sizeof text, "\n%s: %s\n  %-24s %10s %10s %12s %8s %8s  %s\n", subject->name,
                                   subject->what, "", "each", "CPU each", "a second", "time", "CPU", "beside");
    for (int i = 0, rows = count_rows(subject); i < rows; i++) {
        const struct figures *f = &figures[i];
        int beside = subject->rows[i].beside;
        used += (size_t)snprintf(text + used, sizeof text - used, "  %-24s ", subject->rows[i].name);
        if (!f->count) {
            used += (size_t)snprintf(text + used, sizeof text - used, "not on this machine\n");
            continue;
        }
        double ns = median(f->wall, NULL);
        used += (size_t)snprintf(text + used, sizeof text - used, "%10s %10s %12.0f", show_time(each, sizeof each, ns),
                                 show_time(cpu, sizeof cpu, median(f->cpu, NULL)), 1e9 / ns);
        if (beside != NO_ROW && figures[beside].count)
            used += (size_t)snprintf(text + used, sizeof text - used, " %7.3fx %7.3fx  %s",
                                     median(f->wall, figures[beside].wall), median(f->cpu, figures[beside].cpu),
                                     subject->rows[beside].name);
        used += (size_t)snprintf(text + used, sizeof text - used, "\n");
    }
    return cord_print("%s", text);
}

static json_t *to_json(const struct subject *subject, const struct figures *figures)
{
    json_t *rows = json_array();
    for (int i = 0, n = count_rows(subject); i < n; i++) {
        const struct figures *f = &figures[i];
        int beside = subject->rows[i].beside;
        json_t *row = json_pack("{s:s, s:b}", "name", subject->rows[i].name, "here", f->count > 0);
        if (f->count) {
            json_object_set_new(row, "operations", json_integer((json_int_t)f->count));
            json_object_set_new(row, "ns", json_real(median(f->wall, NULL)));
            json_object_set_new(row, "cpu_ns", json_real(median(f->cpu, NULL)));
        }
        if (f->count && beside != NO_ROW && figures[beside].count) {
            json_object_set_new(row, "beside", json_string(subject->rows[beside].name));
            json_object_set_new(row, "time_ratio", json_real(median(f->wall, figures[beside].wall)));
            json_object_set_new(row, "cpu_ratio", json_real(median(f->cpu, figures[beside].cpu)));
        }
        json_array_append_new(rows, row);
    }
    return json_pack("{s:s, s:s, s:o}", "subject", subject->name, "what", subject->what, "rows", rows);
}

/* ---- the command ---- */

static bool is_wanted(const struct arguments *a, const char *name)
{
    for (int i = 0; i < a->count; i++)
        if (strcmp(a->words[i], name) == 0)
            return true;
    return a->count == 0;
}

static int check_words(const struct arguments *a)
{
    char meant[64];
    for (int i = 0; i < a->count; i++) {
        bool known = false;
        for (size_t j = 0; j < SUBJECTS; j++)
            known |= strcmp(a->words[i], bench_subjects[j].name) == 0;
        if (!known)
            return usage_error("bench", "unknown subject \"%s\"%s (%s)", a->words[i],
                               did_you_mean(meant, sizeof meant, a->words[i], a->command->choices),
                               a->command->choices);
    }
    return 0;
}

static int run_subject(const struct arguments *a, const struct subject *subject, json_t *list)
{
    struct bench b = { 0 };
    struct figures figures[MOST_ROWS];
    memset(figures, 0, sizeof figures);
    ssize_t rc = subject->open ? subject->open(&b) : 0;
    if (rc == 0)
        rc = measure_subject(subject, &b, figures, a->seconds);
    if (subject->close)
        subject->close(&b);
    if (rc == 0 && list)
        json_array_append_new(list, to_json(subject, figures));
    else if (rc == 0)
        rc = print_table(subject, figures);
    return rc < 0 ? (int)rc : 0;
}

static int run_subjects(const struct arguments *a, json_t *list)
{
    int rc = 0, done = 0;
    for (size_t i = 0; i < SUBJECTS && rc == 0; i++) {
        if (!is_wanted(a, bench_subjects[i].name))
            continue;
        rc = run_subject(a, &bench_subjects[i], list);
        done += rc == 0;
        snprintf(a->summary, SUMMARY, "%d subject%s", done, done == 1 ? "" : "s");
    }
    return rc;
}

static ssize_t tell_json(const struct arguments *a, const struct utsname *system, int processors)
{
    json_t *list = json_array();
    ssize_t rc = run_subjects(a, list);
    json_t *all =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:f, s:o}", "version", cord_version(), "backend",
                  cord_backend(NULL, 0), "kernel", system->release, "architecture", system->machine, "processors",
                  processors, "rounds", ROUNDS, "seconds", (double)a->seconds / 1e9, "subjects", list);
    char *text = rc == 0 ? json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    if (text)
        rc = cord_print("%s\n", text);
    free(text);
    json_decref(all);
    return rc;
}

static ssize_t tell_tables(const struct arguments *a, const struct utsname *system, int processors)
{
    ssize_t rc =
        cord_print("cordage %s on %s, Linux %s %s, %d processors; medians of %d rounds in turn.\n"
                   "Ratios are to what stands beside: 1.000x is the same, less is better.\n",
                   cord_version(), cord_backend(NULL, 0), system->release, system->machine, processors, ROUNDS);
    return rc < 0 ? rc : run_subjects(a, NULL);
}

int run_bench(const struct arguments *a)
{
    struct utsname system = { 0 };
    int processors = (int)sysconf(_SC_NPROCESSORS_ONLN), wrong = check_words(a);
    if (wrong)
        return wrong;
    uname(&system);
    ssize_t rc = a->json ? tell_json(a, &system, processors) : tell_tables(a, &system, processors);
    return rc == -EPIPE || rc > 0 ? 0 : (int)rc;
}
