/* `cordage doctor`: what this machine allows, and one line of verdict. Facts are gathered once, as JSON, and printed
 * in one of two forms, so that --json tells the same.
 */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <jansson.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum { FEW_FILES = 4096, FEW_MAPS = 65530, SAMPLE = 1000 };

/* A number in a file of /proc; -1 when it is not there or no number. */
static long long read_number(const char *path)
{
    char text[64];
    int64_t number = -1;
    FILE *file = fopen(path, "re");
    if (file && fgets(text, sizeof text, file) && cord_int_parse(&number, text) < 0)
        number = -1;
    if (file)
        fclose(file);
    return number;
}

/* By effect, since an emulator may ignore the advice and answer 0: a write from a guard must fail. */
static const char *guard_method(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *pages = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int ends[2];
    bool works = false;
    if (pages == MAP_FAILED)
        return "unknown";
    if (pipe(ends) == 0) {
        works = madvise(pages, page, MADV_GUARD_INSTALL) == 0 && write(ends[1], pages, 1) < 0 && errno == EFAULT;
        close(ends[0]);
        close(ends[1]);
    }
    munmap(pages, page);
    return works ? "madvise" : "mprotect";
}

/* Resident bytes of this process. */
static long long resident(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*d %lld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int wait_there(void *event)
{
    return cord_event_wait(event, CORD_FOREVER);
}

/* Resident bytes that one more waiting coroutine costs, measured; -1 if they cannot be started. */
static long long coroutine_cost(void)
{
    static cord_event event = CORD_EVENT_INIT;
    cord_group *group;
    if (cord_group_new(&group, NULL) < 0)
        return -1;
    long long before = resident();
    int rc = 0;
    for (int i = 0; i < SAMPLE && rc == 0; i++)
        rc = cord_group_start(group, wait_there, &event, 0);
    if (rc == 0)
        rc = cord_yield(); /* lets each of them reach its wait */
    long long cost = (resident() - before) / SAMPLE;
    cord_event_set(&event);
    cord_group_free(group);
    return rc < 0 ? -1 : cost;
}

static json_t *limit(enum __rlimit_resource resource, bool hard)
{
    struct rlimit value;
    if (getrlimit(resource, &value) < 0)
        return json_null();
    rlim_t number = hard ? value.rlim_max : value.rlim_cur;
    return number == RLIM_INFINITY ? json_string("unlimited") : json_integer((json_int_t)number);
}

static bool is_below(const json_t *number, json_int_t least)
{
    return json_is_integer(number) && json_integer_value(number) < least;
}

static json_t *gather(void)
{
    struct utsname system;
    char why[200] = "", kernel[200];
    const char *backend = cord_backend(why, sizeof why);
    json_t *facts = json_object();
    if (uname(&system) < 0)
        snprintf(kernel, sizeof kernel, "unknown");
    else
        snprintf(kernel, sizeof kernel, "%s %s %s", system.sysname, system.release, system.machine);
    const struct {
        const char *name;
        json_t *value;
    } rows[] = {
        { "version", json_string(cord_version()) },
        { "kernel", json_string(kernel) },
        { "processors", json_integer(sysconf(_SC_NPROCESSORS_ONLN)) },
        { "backend", json_string(backend) },
        { "backend_reason", json_string(why) },
        { "open_files", limit(RLIMIT_NOFILE, false) },
        { "open_files_most", limit(RLIMIT_NOFILE, true) },
        { "user_tasks", limit(RLIMIT_NPROC, false) },
        { "threads_max", json_integer(read_number("/proc/sys/kernel/threads-max")) },
        { "max_map_count", json_integer(read_number("/proc/sys/vm/max_map_count")) },
        { "somaxconn", json_integer(read_number("/proc/sys/net/core/somaxconn")) },
        { "stack_guard", json_string(guard_method()) },
        { "coroutine_bytes", json_integer(coroutine_cost()) },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        json_object_set_new(facts, rows[i].name, rows[i].value);
    return facts;
}

static void add_verdict(json_t *facts)
{
    char verdict[400];
    const json_t *files = json_object_get(facts, "open_files"), *most = json_object_get(facts, "open_files_most");
    bool guarded = strcmp(json_string_value(json_object_get(facts, "stack_guard")), "madvise") == 0;
    if (is_below(files, FEW_FILES))
        snprintf(verdict, sizeof verdict, "works, with at most %lld connections; `ulimit -n %s` allows more",
                 (long long)json_integer_value(files),
                 json_is_integer(most) && !is_below(most, FEW_FILES + 1) ? "hard" : "65536");
    else if (!guarded && is_below(json_object_get(facts, "max_map_count"), FEW_MAPS + 1))
        snprintf(verdict, sizeof verdict,
                 "good; beyond about %lld coroutines stacks have no guard: sysctl vm.max_map_count=1000000",
                 (long long)json_integer_value(json_object_get(facts, "max_map_count")) / 2);
    else
        snprintf(verdict, sizeof verdict, "good");
    json_object_set_new(facts, "verdict", json_string(verdict));
}

static ssize_t print_plain(json_t *facts)
{
    char text[4096] = "";
    size_t used = 0;
    const char *name;
    json_t *value;
    json_object_foreach(facts, name, value)
    {
        char label[32];
        snprintf(label, sizeof label, "%s:", name);
        for (char *p = label; *p; p++)
            *p = *p == '_' ? ' ' : *p;
        used += (size_t)snprintf(text + used, sizeof text - used, "%-18s ", label);
        if (json_is_string(value))
            used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", json_string_value(value));
        else if (json_is_integer(value) && json_integer_value(value) >= 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "%lld\n", (long long)json_integer_value(value));
        else
            used += (size_t)snprintf(text + used, sizeof text - used, "unknown\n");
    }
    return cord_print("%s", text);
}

int run_doctor(const struct arguments *a)
{
    if (a->count)
        return usage_error("doctor", "it takes no operand: %s", a->words[0]);
    json_t *facts = gather();
    add_verdict(facts);
    ssize_t rc;
    if (a->json) {
        char *text = json_dumps(facts, JSON_INDENT(2));
        rc = cord_print("%s\n", text ? text : "{}");
        free(text);
    } else {
        rc = print_plain(facts);
    }
    json_decref(facts);
    return rc == -EPIPE ? 0 : rc < 0 ? (int)rc : 0;
}
