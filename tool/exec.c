/* `cordage serve exec`: a program for each connection, with the connection as its stdin and stdout and the names that
 * tcpserver gives it in its environment. The program is a task of kind process that becomes the program, so that it is
 * joined, and terminated with the server, like any other task. No shell sees its words. What it started and left behind
 * ends with it; a program that is to outlive its connection calls setsid(2).
 */
#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Copied to the child; the program's words are where they were, since the child is a copy of this process. */
struct call {
    cord_socket connection;
    cord_address peer, local;
    const char *const *argv;
};

/* An IPv4 peer of a socket for both is known by its IPv4 address. */
static void name_end(const char *which, const cord_address *address)
{
    char name[32], host[CORD_ADDRESS_TEXT], port[16];
    snprintf(name, sizeof name, "TCP%sIP", which);
    cord_address_host(address, host, sizeof host);
    setenv(name, strncmp(host, "::ffff:", 7) == 0 && strchr(host, '.') ? host + 7 : host, 1);
    snprintf(name, sizeof name, "TCP%sPORT", which);
    snprintf(port, sizeof port, "%u", cord_address_port(address));
    setenv(name, port, 1);
}

/* The names of this connection only: what the server itself inherited, perhaps from another tcpserver, is not of it. */
static void set_names(const struct call *call)
{
    static const char *const names[] = { "TCPLOCALIP",    "TCPLOCALPORT",  "TCPLOCALHOST",  "TCPREMOTEIP",
                                         "TCPREMOTEPORT", "TCPREMOTEHOST", "TCPREMOTEINFO", "UNIXLOCALPATH" };
    char path[CORD_ADDRESS_TEXT];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    bool is_tcp = call->local.transport == CORD_TCP;
    setenv("PROTO", is_tcp ? "TCP" : "UNIX", 1);
    if (is_tcp) {
        name_end("REMOTE", &call->peer);
        name_end("LOCAL", &call->local);
    } else {
        setenv("UNIXLOCALPATH", cord_address_host(&call->local, path, sizeof path), 1);
    }
}

/* In the child. Comes back only when there is no such program. The program leads a process group of its own, which is
 * how what it starts is found at its end; descriptors that this process inherited are not its business. */
static int become(void *arg)
{
    const struct call *call = arg;
    sigset_t none;
    int fd = cord_fileno(call->connection);
    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        return fd < 0 ? fd : -errno;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* who forked waits for us: it ends first only when it is killed */
    set_names(call);
    close_range(STDERR_FILENO + 1, ~0U, 0);
    signal(SIGTTIN, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(call->argv[0], (char **)(uintptr_t)call->argv);
    say("serve: exec: %s: %s", call->argv[0], strerror(errno));
    _exit(127);
}

/* The program's process group. The program itself may have ended already: its number is not given anew while another
 * process of the group lives. */
static void signal_group(int pid, int signo)
{
    if (pid > 1)
        kill(-pid, signo);
}

/* SIGTERM to all of them; who is still there when the program has ended, or after a second, gets SIGKILL. */
static int end_program(void *task)
{
    int pid = cord_task_pid(task);
    signal_group(pid, SIGTERM);
    cord_task_terminate(task, CORD_SECOND);
    int rc = cord_task_join(task, CORD_FOREVER, NULL);
    signal_group(pid, SIGKILL);
    return rc;
}

int exec_handle(cord_request *r, const char *const *argv)
{
    struct call call = { .connection = r->socket, .peer = r->peer, .local = r->local, .argv = argv };
    char peer[CORD_ADDRESS_TEXT];
    cord_task *program;
    cord_outcome outcome;
    int rc = cord_local(r->socket, &call.local); /* r->local is the listener's: perhaps every interface */
    if (rc == 0)
        rc = cord_task_start(&program, become, &call, sizeof call,
                             &(cord_task_options){ .kind = CORD_PROCESS, .name = "exec" });
    if (rc < 0)
        return rc;
    rc = cord_task_join(program, CORD_FOREVER, &outcome);
    if (rc < 0)
        (void)cord_shield(end_program, program); /* the server ends */
    else if (outcome.how == CORD_SIGNALED)
        say("%s: %s was killed by signal %d", cord_address_text(&r->peer, peer, sizeof peer), argv[0], outcome.value);
    if (rc == 0)
        signal_group(cord_task_pid(program), SIGTERM); /* what it left behind */
    cord_task_free(program);
    return rc;
}
