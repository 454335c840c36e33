/* bench/memory.c - what a parked coroutine costs in memory: `memory [CASE]` prints a line of JSON a case, the bytes for
 * each. Each case runs in a process of its own, and a case for which there is not enough of something says so on
 * standard error and prints nothing.
 *
 * Bytes are the growth of the process's own memory and of its page tables (RssAnon and VmPTE in /proc/self/status), so
 * guards, free lists and timers count. The kernel's sockets do not. For the connections the clients are another
 * process, since a process may have no more than some 20,000 descriptors; each connection has said something once, and
 * waits in cord_recv() with a buffer of 256 bytes.
 *
 * "come and go" is about giving memory back: the crowd has used 16 KiB of stack each. What it keeps when it has ended
 * and three seconds have passed, and how many pages a coroutine faults in when the next crowd follows at once.
 */
#include <cordage.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MILLION = 1000000, CONNECTIONS = 19000, CROWD = 10000, BURST = 100000, USED = 16384 };
static const long long NEEDED = 8LL << 30; /* bytes of free memory, for a million */

/* The sum of some lines "KEY: NUMBER kB" of a file of /proc, in bytes. */
static long long kilobytes(const char *path, const char *first, const char *second)
{
    char line[256];
    long long sum = 0;
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, first, strlen(first)) == 0 || strncmp(line, second, strlen(second)) == 0)
            sum += atoll(strchr(line, ':') + 1) * 1024;
    if (file != NULL)
        fclose(file);
    return sum;
}

static long long memory(void)
{
    return kilobytes("/proc/self/status", "RssAnon:", "VmPTE:");
}

static void check(ssize_t rc)
{
    if (rc < 0)
        exit(cord_report("memory", rc));
}

static void print(const char *what, double value, const char *name, int count)
{
    printf("{\"case\": \"%s\", \"%s\": %.2f, \"count\": %d}\n", name, what, value, count);
    fflush(stdout);
}

/* --- a million that wait --- */

static cord_event never = CORD_EVENT_INIT;

static int in_sleep(void *arg)
{
    (void)arg;
    return cord_sleep(CORD_HOUR);
}

static int in_event(void *arg)
{
    (void)arg;
    return cord_event_wait(&never, CORD_FOREVER);
}

static int in_event_with_deadline(void *arg)
{
    (void)arg;
    return cord_event_wait(&never, cord_in(CORD_HOUR));
}

struct waiting {
    const char *name;
    cord_fn *fn;
};

static int million(void *arg)
{
    const struct waiting *how = arg;
    long long before = memory();
    for (int i = 0; i < MILLION; i++) {
        check(cord_task_start(NULL, how->fn, NULL, 0, NULL));
        if (i % 1000 == 0)
            cord_yield(); /* those before run until they wait */
    }
    cord_yield();
    print("bytes", (double)(memory() - before) / MILLION, how->name, MILLION);
    _exit(0); /* ending them is not what is measured */
}

static void run_million(const struct waiting *how)
{
    if (kilobytes("/proc/meminfo", "MemAvailable:", "\n") < NEEDED) {
        fprintf(stderr, "memory: \"%s\" is left out: less than 8 GiB are free\n", how->name);
        return;
    }
    struct waiting copy = *how;
    check(cord_run(million, &copy, NULL));
}

/* --- connections --- */

static int echoed;

static int serve_one(void *arg)
{
    cord_socket socket = *(cord_socket *)arg;
    char buffer[256];
    ssize_t n;
    while ((n = cord_recv(socket, buffer, sizeof buffer, CORD_FOREVER)) > 0) {
        if ((n = cord_send_all(socket, buffer, (size_t)n, CORD_FOREVER)) < 0)
            break;
        echoed++;
    }
    cord_close(&socket);
    return (int)n;
}

/* The other process: each connection says something and hears it back; then it waits to be killed. */
static int connect_all(void *arg)
{
    static cord_socket sockets[CONNECTIONS];
    char byte = 'x';
    for (int i = 0; i < CONNECTIONS; i++) {
        check(cord_connect(&sockets[i], arg, NULL, CORD_FOREVER));
        check(cord_send_all(sockets[i], &byte, 1, CORD_FOREVER));
    }
    for (int i = 0; i < CONNECTIONS; i++)
        check(cord_recv(sockets[i], &byte, 1, CORD_FOREVER));
    return cord_sleep(CORD_HOUR);
}

static int accept_all(void *arg)
{
    const char *name = arg;
    char text[CORD_ADDRESS_TEXT];
    cord_socket listener;
    cord_address local;
    cord_task *clients;
    cord_task_options child = { .kind = CORD_PROCESS, .name = "clients" };
    check(cord_listen(&listener, "tcp:127.0.0.1:0", NULL));
    check(cord_local(listener, &local));
    cord_address_text(&local, text, sizeof text);
    check(cord_task_start(&clients, connect_all, text, sizeof text, &child));
    long long before = memory();
    for (int i = 0; i < CONNECTIONS; i++) {
        cord_socket socket;
        check(cord_accept(listener, &socket, NULL, CORD_FOREVER));
        check(cord_task_start(NULL, serve_one, &socket, sizeof socket, NULL));
    }
    while (echoed < CONNECTIONS)
        check(cord_sleep(10 * CORD_MILLISECOND));
    check(cord_sleep(100 * CORD_MILLISECOND));
    print("bytes", (double)(memory() - before) / CONNECTIONS, name, CONNECTIONS);
    cord_task_terminate(clients, 0);
    check(cord_task_join(clients, CORD_FOREVER, NULL));
    _exit(0);
}

static void run_connections(const struct waiting *how)
{
    char name[100];
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    setenv("CORD_BACKEND", strstr(how->name, "uring") ? "uring" : "epoll", 1);
    snprintf(name, sizeof name, "%s", how->name);
    if (files.rlim_cur < CONNECTIONS + 100)
        fprintf(stderr, "memory: \"%s\" is left out: too few open files are allowed\n", name);
    else if (strstr(name, cord_backend(NULL, 0)) == NULL)
        fprintf(stderr, "memory: \"%s\" is left out: this backend does not work here\n", name);
    else
        check(cord_run(accept_all, name, NULL));
}

/* --- crowds that come and go --- */

static int use_stack(void *arg)
{
    volatile char frame[USED];
    memset((char *)frame, 1, sizeof frame);
    int rc = cord_event_wait(*(cord_event **)arg, CORD_FOREVER);
    return rc < 0 ? rc : frame[0] - 1;
}

static void crowd(int count)
{
    cord_event event = CORD_EVENT_INIT, *go = &event;
    cord_group *group;
    check(cord_group_new(&group, NULL));
    for (int i = 0; i < count; i++)
        check(cord_group_start(group, use_stack, &go, sizeof go));
    cord_yield();
    cord_event_set(go);
    check(cord_group_join(group, CORD_FOREVER));
}

static long page_faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static int burst(void *arg)
{
    const struct waiting *how = arg;
    long long before = memory();
    crowd(BURST);
    check(cord_sleep(5 * CORD_SECOND));
    print("bytes", (double)(memory() - before) / BURST, how->name, BURST);
    return 0;
}

static int rotation(void *arg)
{
    const struct waiting *how = arg;
    cord_deadline end = cord_in(4 * CORD_SECOND);
    int count = 0;
    crowd(CROWD);
    for (long before = page_faults(); cord_left(end) > 0 || count == 0;) {
        crowd(CROWD);
        count += CROWD;
        check(cord_sleep(CORD_MILLISECOND)); /* the loop is idle now and then */
        if (cord_left(end) <= 0)
            print("faults", (double)(page_faults() - before) / count, how->name, count);
    }
    return 0;
}

static void run_crowd(const struct waiting *how)
{
    struct waiting copy = *how;
    check(cord_run(how->fn, &copy, NULL));
}

int main(int argc, char **argv)
{
    static const struct {
        void (*run)(const struct waiting *how);
        struct waiting how;
    } cases[] = {
        { run_million, { "in cord_sleep", in_sleep } },
        { run_million, { "in cord_event_wait", in_event } },
        { run_million, { "in cord_event_wait with a deadline", in_event_with_deadline } },
        { run_connections, { "in cord_recv, epoll", NULL } },
        { run_connections, { "in cord_recv, uring", NULL } },
        { run_crowd, { "come and go: kept after 5 s", burst } },
        { run_crowd, { "come and go: page faults", rotation } },
    };
    int status = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases && status == 0; i++) {
        pid_t pid;
        if (argc > 1 && strstr(cases[i].how.name, argv[1]) == NULL)
            continue;
        if ((pid = fork()) == 0) {
            cases[i].run(&cases[i].how);
            exit(0);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
            return 1;
    }
    return status != 0;
}
