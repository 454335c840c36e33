/* `cordage serve exec`: a program for each connection, with the connection as its stdin and stdout and the names that
 * tcpserver gives it in its environment. The program is a task of kind process that becomes the program, so that it is
 * joined, and terminated with the server, like any other task.
 */
#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Copied to the child; the program's words are where they were, since the child is a copy of this process. */
struct call {
    cord_socket connection;
    cord_address peer, local;
    const char *const *argv;
};

static void name_end(const char *which, bool is_tcp, const cord_address *address)
{
    char name[32], host[CORD_ADDRESS_TEXT], port[16];
    snprintf(name, sizeof name, "%s%sIP", is_tcp ? "TCP" : "UNIX", which);
    setenv(name, cord_address_host(address, host, sizeof host), 1);
    snprintf(name, sizeof name, "%s%sPORT", is_tcp ? "TCP" : "UNIX", which);
    snprintf(port, sizeof port, "%u", cord_address_port(address));
    if (is_tcp)
        setenv(name, port, 1);
}

/* In the child. Comes back only when there is no such program. */
static int become(void *arg)
{
    const struct call *call = arg;
    bool is_tcp = call->peer.transport == CORD_TCP;
    sigset_t none;
    int fd = cord_fileno(call->connection);
    if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        return fd < 0 ? fd : -errno;
    setenv("PROTO", is_tcp ? "TCP" : "UNIX", 1);
    name_end("REMOTE", is_tcp, &call->peer);
    name_end("LOCAL", is_tcp, &call->local);
    signal(SIGTTIN, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(call->argv[0], (char **)(uintptr_t)call->argv);
    say("serve: exec: %s: %s", call->argv[0], strerror(errno));
    _exit(127);
}

static int end_program(void *task)
{
    cord_task_terminate(task, CORD_SECOND);
    return cord_task_join(task, CORD_FOREVER, NULL);
}

int exec_handle(cord_request *r, const char *const *argv)
{
    struct call call = { .connection = r->socket, .peer = r->peer, .local = r->local, .argv = argv };
    char peer[CORD_ADDRESS_TEXT];
    cord_task *program;
    cord_outcome outcome;
    int rc = cord_task_start(&program, become, &call, sizeof call,
                             &(cord_task_options){ .kind = CORD_PROCESS, .name = "exec" });
    if (rc < 0)
        return rc;
    rc = cord_task_join(program, CORD_FOREVER, &outcome);
    if (rc < 0)
        (void)cord_shield(end_program, program); /* the server ends */
    else if (outcome.how == CORD_SIGNALED)
        say("%s: %s was killed by signal %d", cord_address_text(&r->peer, peer, sizeof peer), argv[0], outcome.value);
    cord_task_free(program);
    return rc;
}
