/* The command `cordage`: finds the subcommand, reads its options, runs it inside cord_run() so that the first SIGINT
 * or SIGTERM is a clean end, and turns what it answers into the exit code: 0, 1 for a failure, 2 for a command line
 * that is wrong, 130 after SIGINT.
 */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct command commands[COMMANDS] = {
    { "serve", "HANDLER ADDRESS...", "a server: echo, upper, hello, discard, chat or exec",
      "HANDLER is\n"
      "  echo      sends back what it gets\n"
      "  upper     sends it back in upper case (ASCII) and prints it\n"
      "  hello     says hello again and again and prints the answers\n"
      "  discard   throws away what it gets\n"
      "  chat      a room: what one member says goes to all others, by UDP as JSON, by TCP as JSON or plain lines;\n"
      "            what is typed here goes to all\n"
      "  exec      runs a program for each connection, which is its stdin and stdout:\n"
      "            cordage serve exec tcp:127.0.0.1:9000 -- PROGRAM ARG...\n"
      "Each listener prints `listening ADDRESS` on stderr. Ctrl-C or SIGTERM ends it, SIGUSR1 has it print its "
      "counts.\n"
      "The address systemd: stands for the sockets that systemd passed, systemd:NAME for one of them.\n",
      "echo upper hello discard chat exec", run_serve },
    { "chat", "[ADDRESS]", "talk in a chat room",
      "ADDRESS is udp:127.0.0.1:9090 unless given. Each line you type goes to the room.\n", "", run_chat },
    { "connect", "ADDRESS", "stdin to a peer, the peer to stdout",
      "Stream: when the input ends the peer is told; it ends when the peer ends.\n"
      "Datagrams: each line is one, and each reply is a line.\n",
      "", run_connect },
    { "send", "ADDRESS [TEXT...|-]", "one message and out",
      "The words of TEXT are sent with a space between them; - sends all of stdin; without TEXT a line is asked for.\n",
      "", run_send },
    { "doctor", "", "what this machine allows", "Ends with one line of verdict.\n", "", run_doctor },
    { "bench", "[SUBJECT...]", "what its parts cost on this machine, beside what one would use instead",
      "SUBJECT is\n"
      "  tasks     start and join of each kind; pthread_create, fork\n"
      "  switch    two coroutines take turns; sched_yield of two threads\n"
      "  lock      acquire and release, local and shared; pthread_mutex\n"
      "  queue     between two coroutines, threads, processes; pipe\n"
      "  tcp       echo over loopback on epoll, on io_uring and with threads; a raw epoll loop\n"
      "  timers    arm and cancel with 10,000 armed; timer_settime\n"
      "or several of them; all of them unless one is given.\n",
      "tasks switch lock queue tcp timers", run_bench },
};

void say(const char *format, ...)
{
    char line[1200];
    va_list args;
    int n = snprintf(line, sizeof line, "cordage: ");
    va_start(args, format);
    vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
    va_end(args);
    strcat(line, "\n");
    fputs(line, stderr);
}

int reach(cord_socket *ret, cord_address *peer, bool *is_stream, const char *address, cord_deadline deadline)
{
    int rc = cord_connect(ret, address, NULL, deadline);
    if (rc < 0)
        return rc;
    rc = cord_peer(*ret, peer);
    if (rc < 0)
        cord_close(ret);
    *is_stream = rc == 0 && peer->transport != CORD_UDP && peer->transport != CORD_UNIXGRAM;
    return rc;
}

static int join_task(void *task)
{
    return cord_task_join(task, CORD_FOREVER, NULL);
}

void end_task(cord_task *task)
{
    cord_task_cancel(task);
    (void)cord_shield(join_task, task);
    cord_task_free(task);
}

static void log_line(const char *line)
{
    say("%s", line);
}

/* Inside cord_run(). */
static int run(void *arg)
{
    const struct arguments *arguments = arg;
    char who[64];
    snprintf(who, sizeof who, "cordage: %s", arguments->command->name);
    int rc = arguments->command->run(arguments);
    if (cord_run_signal() == SIGINT) {
        if (!arguments->quiet)
            say("%s: interrupted%s%s", arguments->command->name, *arguments->summary ? " after " : "",
                arguments->summary);
        return EXIT_INTERRUPTED;
    }
    if (cord_run_signal() == SIGTERM && (rc >= 0 || rc == -ECANCELED))
        return 0;
    int code = rc < 0 ? cord_report(who, rc) : rc;
    return rc == CORD_EADDRESS ? EXIT_USAGE : code;
}

static int print_version(void)
{
    char why[160];
    const char *backend = cord_backend(why, sizeof why);
    printf("cordage %s\nbackend: %s (%s)\nkinds: coroutine thread process serial\nhandlers: %s\n"
           "encodings: utf-8 gbk gb18030 ascii latin-1\n",
           cord_version(), backend, why, commands[0].choices);
    return 0;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    char list[128] = "", meant[64];
    for (size_t i = 0; i < COMMANDS; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? " " : "", commands[i].name);
    return usage_error(NULL, "unknown command \"%s\"%s (%s)", name, did_you_mean(meant, sizeof meant, name, list),
                       list);
}

/* `cordage help COMMAND` is `cordage COMMAND --help`. */
static int help(const char *name)
{
    const struct command *command = name ? find_command(name) : NULL;
    if (name && !command)
        return unknown_command(name);
    if (command)
        print_command_help(stdout, command);
    else
        print_help(stdout);
    return 0;
}

static int without_command(int argc, char **argv)
{
    const char *first = argc > 1 ? argv[1] : "";
    if (strcmp(first, "help") == 0)
        return help(argv[2]);
    if (strcmp(first, "-h") == 0 || strcmp(first, "--help") == 0)
        return help(NULL);
    if (strcmp(first, "-V") == 0 || strcmp(first, "--version") == 0)
        return print_version();
    if (strcmp(first, "--completions") == 0)
        return print_completions(argv[2]);
    if (strncmp(first, "--completions=", 14) == 0)
        return print_completions(first + 14);
    if (!*first) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    char meant[64];
    if (*first == '-')
        return usage_error(NULL, "unknown option %s%s (--help --version --completions)", first,
                           did_you_mean(meant, sizeof meant, first, "--help --version --completions"));
    return unknown_command(first);
}

/* What was printed by stdio: a full disk is told of, a closed pipe is not. The exit code. */
static int flushed(int rc)
{
    if (fflush(stdout) == 0 || errno == EPIPE)
        return rc;
    say("stdout: %s", cord_strerror(-errno));
    return 1;
}

/* A descriptor 0, 1 or 2 that is closed would be the next file that is opened: what is typed or printed would go
 * there. */
static void open_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", O_RDWR);
}

int main(int argc, char **argv)
{
    open_standard_files();
    struct arguments arguments = { .dashes = -1, .timeout = -1, .wait = -1, .seconds = 1500 * CORD_MILLISECOND };
    arguments.command = argc > 1 ? find_command(argv[1]) : NULL;
    if (!arguments.command)
        return flushed(without_command(argc, argv));

    char summary[SUMMARY] = "";
    const char **list = calloc((size_t)argc, sizeof *list);
    if (!list)
        return 1;
    arguments.summary = summary;
    int rc = read_options(&arguments, argc - 2, argv + 2, list);
    if (rc == 0) {
        cord_log_set(log_line);
        signal(SIGTTIN, SIG_IGN); /* in the background, reading the terminal fails instead of stopping a server */
        cord_run_options how = {
            .signals = CORD_SIGNALS_DEFAULT, .stack_size = 512 * 1024, .loops = arguments.loops, .spin = arguments.spin
        };
        rc = cord_run(run, &arguments, &how);
        rc = rc < 0 ? cord_report("cordage", rc) : rc;
    } else {
        rc = flushed(rc - 1);
    }
    free(list);
    return rc;
}
