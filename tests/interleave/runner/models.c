/* tests/interleave/runner/models.c - runs models with and without their faults, and says what was found.
 *
 * Each search is a child process, since a fault may well end in a crash: then the handler of its signal tells the
 * schedule that led there, and that counts as found. In the environment: CORD_INTERLEAVE=N, N times as many rounds in
 * each task; CORD_INTERLEAVE_SHOW=1, the schedules that show the faults too.
 */
#include "explore.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/* What the child leaves for its parent. */
static struct {
    bool ended, found;
    uint64_t schedules, points, fault_met;
    char failure[256];
    char trace[64 * 1024];
} * report;

int model_rounds(int most)
{
    const char *text = getenv("CORD_INTERLEAVE");
    int rounds = text != NULL ? atoi(text) : 1;
    return rounds < 1 ? 1 : rounds > most ? most : rounds;
}

static const char *base(const char *path)
{
    return strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
}

static void write_trace(void)
{
    size_t used = 0;
    for (int i = 0; i < run.made && used + 512 < sizeof report->trace; i++) {
        const struct event *event = &run.events[i];
        char place[128] = "", value[32] = "";
        if (event->line > 0)
            snprintf(place, sizeof place, "%s:%d %s", base(event->file), event->line, event->function);
        if (event->kind == ANSWERED)
            snprintf(value, sizeof value, event->value > 0xffff ? " = %#llx" : " = %llu",
                     (unsigned long long)event->value);
        used += (size_t)snprintf(report->trace + used, sizeof report->trace - used, "%4d  %-12s %-44s %s%s%s\n", i + 1,
                                 run.tasks[event->task].name, place, event->text, value,
                                 event->kind == VISIBLE ? " -- is visible to all now" : "");
    }
}

static void leave(void)
{
    report->found = run.failure[0] != '\0';
    report->schedules = run.schedules;
    report->points = run.points;
    report->fault_met = run.fault_met;
    snprintf(report->failure, sizeof report->failure, "%s", run.failure);
    if (report->found)
        write_trace();
    report->ended = true;
    _exit(0);
}

static void crashed(int number)
{
    snprintf(run.failure, sizeof run.failure, "%s in %s", strsignal(number),
             run.self != NULL ? run.self->name : "the end's check");
    leave();
}

static void search(const struct model *model, const struct fault *fault)
{
    static char stack[64 * 1024];
    const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
    struct sigaction action = { .sa_handler = crashed, .sa_flags = SA_ONSTACK };
    sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        sigaction(crashes[i], &action, NULL);
    (void)explore(model, fault);
    leave();
}

static bool show(void)
{
    const char *text = getenv("CORD_INTERLEAVE_SHOW");
    return text != NULL && strcmp(text, "1") == 0;
}

/* One search, and its line. */
static bool one(const char *name, const struct model *model, const struct fault *fault)
{
    int status = 0;
    memset(report, 0, sizeof *report);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        search(model, fault);
    bool ran = pid > 0 && waitpid(pid, &status, 0) == pid && report->ended;
    bool good = ran && report->found == (fault != NULL) && (fault == NULL || report->fault_met > 0);
    if (report->found && (!good || show()))
        fputs(report->trace, stdout);
    if (!ran)
        printf("not ok %s: the search ended with status %#x\n", name, (unsigned)status);
    else if (fault != NULL && report->fault_met == 0)
        printf("not ok %s: there is no %s in %s() any more\n", name, fault->at, fault->in);
    else
        printf("%s %s: %s%s%llu schedules, %llu points\n", good ? "ok" : "not ok", name, report->failure,
               report->found   ? "; after "
               : fault != NULL ? "not found in "
                               : "",
               (unsigned long long)report->schedules, (unsigned long long)report->points);
    return good;
}

int run_models(const char *subject, const struct model *const models[], int argc, char **argv)
{
    const char *pattern = argc > 1 ? argv[1] : "";
    bool good = true;
    setvbuf(stdout, NULL, _IOLBF, 0);
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED)
        return 2;
    for (; *models != NULL; models++)
        for (int i = -1; i < MODEL_FAULTS && (i < 0 || (*models)->faults[i].name != NULL); i++) {
            char name[160];
            const struct fault *fault = i < 0 ? NULL : &(*models)->faults[i];
            snprintf(name, sizeof name, "%s.%s%s%s", subject, (*models)->name, fault ? "-" : "",
                     fault ? fault->name : "");
            if (strstr(name, pattern) == NULL)
                continue;
            if (RUNNING_ON_VALGRIND)
                printf("skip %s: it has a memory of its own, which valgrind does not know\n", name);
            else
                good = one(name, *models, fault) && good;
        }
    return good ? 0 : 1;
}
