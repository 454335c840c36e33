/* The command line. One table of options makes the parsing, the help and (completions.c) the completions, so that the
 * three cannot differ. getopt_long was rejected: it knows neither which command takes which option nor what the user
 * may have meant.
 */
#include "tool.h"

#include <stdlib.h>
#include <string.h>

#include "options.h"

const struct option_row option_table[] = {
    { OPTION_KIND, 'k', "kind", "KIND", "coroutine thread process serial", IN_SERVE,
      "how requests run: coroutine (the default), thread, process or serial" },
    { OPTION_FORK, 0, "fork", NULL, "", IN_SERVE, "kind process: a new child for each connection" },
    { OPTION_MAX, 0, "max-connections", "N", "", IN_SERVE, "requests at one time; further ones wait" },
    { OPTION_PEER, 0, "max-per-peer", "N", "", IN_SERVE, "connections of one address at one time; further ones end" },
    { OPTION_REFUSE, 0, "refuse", "TEXT", "", IN_SERVE,
      "beyond --max-connections send TEXT, or nothing for \"\", and close: none waits" },
    { OPTION_LOOPS, 0, "loops", "N", "", IN_SERVE, "threads that share the requests of kind coroutine (default 1)" },
    { OPTION_SPIN, 0, "spin", "TIME", "", IN_SERVE, "look for work so long before sleeping: 50us for quicker answers" },
    { OPTION_IDLE, 0, "idle", "TIME", "", IN_SERVE, "end a connection that is silent for so long" },
    { OPTION_FIRST, 0, "first-byte", "TIME", "", IN_SERVE, "end a connection that has sent nothing for so long" },
    { OPTION_STALLED, 0, "stalled", "TIME", "", IN_SERVE, "end a connection that takes nothing of an answer so long" },
    { OPTION_WHOLE, 0, "whole", "TIME", "", IN_SERVE, "end a connection that lasts so long" },
    { OPTION_GRACE, 0, "grace", "TIME", "", IN_SERVE, "how long an end lets requests finish (default: not at all)" },
    { OPTION_NAME, 0, "name", "NAME", "", IN_CHAT, "your name (default: $USER)" },
    { OPTION_TIMEOUT, 0, "timeout", "TIME", "", IN_CHAT | IN_CONNECT | IN_SEND, "how long to wait for the peer" },
    { OPTION_WAIT, 0, "wait", "TIME", "", IN_CONNECT,
      "datagrams: wait for replies after the input's end (default 1s)" },
    { OPTION_REPLY, 0, "reply", NULL, "", IN_SEND, "print what comes back" },
    { OPTION_ENCODING, 0, "encoding", "E", "utf-8 gbk gb18030 ascii latin-1", IN_SERVE | IN_CONNECT | IN_SEND,
      "the peer's encoding: utf-8, gbk, gb18030, ascii or latin-1" },
    { OPTION_SECONDS, 0, "seconds", "S", "", IN_BENCH, "how long each subject takes, about (default 1.5)" },
    { OPTION_JSON, 0, "json", NULL, "", IN_DOCTOR | IN_BENCH, "for programs to read" },
    { OPTION_QUIET, 'q', "quiet", NULL, "", IN_SERVE, "no diagnostics" },
    { OPTION_VERBOSE, 'v', "verbose", NULL, "", IN_SERVE, "a line for each connection that opens and closes" },
    { OPTION_HELP, 'h', "help", NULL, "", IN_ALL | IN_MAIN, "this help" },
    { OPTION_VERSION, 'V', "version", NULL, "", IN_MAIN, "the version and what it can do" },
    { OPTION_COMPLETIONS, 0, "completions", "SHELL", "bash zsh fish", IN_MAIN, "completions for bash, zsh or fish" },
};
const size_t option_count = sizeof option_table / sizeof option_table[0];

int usage_error(const char *command, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (command)
        say("%s: %s", command, text);
    else
        say("%s", text);
    return EXIT_USAGE;
}

/* How many letters to add, take away, change or swap with their neighbour; words of at most 31 letters. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][32] = { 0 };
    size_t m = strlen(a), n = strlen(b);
    if (m >= 32 || n >= 32)
        return 99;
    for (unsigned j = 0; j <= n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= m; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *higher = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && higher[j - 2] + 1 < best)
                best = higher[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[m % 3][n];
}

const char *did_you_mean(char *buf, size_t size, const char *word, const char *list)
{
    char copy[512], best[32] = "";
    unsigned least = 3;
    snprintf(copy, sizeof copy, "%s", list);
    for (char *rest = copy, *item; (item = strsep(&rest, " "));) {
        unsigned d = distance(word, item);
        if (d < least && d < strlen(item)) {
            least = d;
            snprintf(best, sizeof best, "%s", item);
        }
    }
    snprintf(buf, size, *best ? "; did you mean \"%s\"?" : "%s", best);
    return buf;
}

static const struct option_row *find_option(unsigned where, const char *name, size_t length)
{
    for (size_t i = 0; i < option_count; i++)
        if ((option_table[i].where & where) && strlen(option_table[i].name) == length &&
            strncmp(option_table[i].name, name, length) == 0)
            return &option_table[i];
    return NULL;
}

static const struct option_row *find_letter(unsigned where, char letter)
{
    for (size_t i = 0; i < option_count; i++)
        if ((option_table[i].where & where) && option_table[i].letter == letter)
            return &option_table[i];
    return NULL;
}

unsigned where_of(const struct command *command)
{
    return command ? 1u << (command - commands) : IN_MAIN;
}

static int unknown_option(const char *command, unsigned where, const char *text)
{
    char list[512] = "", meant[64], name[40];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "="), text);
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].where & where)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s--%s", *list ? " " : "", option_table[i].name);
    return usage_error(command, "unknown option %s%s (%s)", name, did_you_mean(meant, sizeof meant, name, list), list);
}

static int read_time(cord_span *ret, const char *who, const struct option_row *row, const char *value)
{
    if (cord_span_parse(ret, value) == 0 && *ret >= 0)
        return 0;
    return usage_error(who, "--%s %s: write a time such as 500ms, 1.5 or 2m", row->name, value);
}

static int read_number(uint32_t *ret, const char *who, const struct option_row *row, const char *value)
{
    int64_t number;
    if (cord_int_parse(&number, value) < 0 || number < 1 || number > UINT32_MAX)
        return usage_error(who, "--%s %s: write a whole number, 1 or more", row->name, value);
    *ret = (uint32_t)number;
    return 0;
}

static int read_value(struct arguments *a, const char *who, const struct option_row *row, const char *value)
{
    int64_t number;
    cord_decoder decoder;
    switch (row->id) {
    case OPTION_KIND:
        if (cord_kind_parse(&a->kind, value) < 0)
            return usage_error(who, "--kind %s: choose coroutine, thread, process or serial", value);
        return 0;
    case OPTION_MAX:
        return read_number(&a->max_connections, who, row, value);
    case OPTION_PEER:
        return read_number(&a->max_per_peer, who, row, value);
    case OPTION_REFUSE:
        a->refusal = value;
        return 0;
    case OPTION_LOOPS:
        if (cord_int_parse(&number, value) < 0 || number < 1 || number > 256)
            return usage_error(who, "--loops %s: write a whole number from 1 to 256; one for each CPU is plenty",
                               value);
        a->loops = (uint32_t)number;
        return 0;
    case OPTION_SPIN:
        if (cord_span_parse(&a->spin, value) < 0 || a->spin > CORD_SECOND)
            return usage_error(who, "--spin %s: write a time of at most a second, such as 50us", value);
        return 0;
    case OPTION_IDLE:
        return read_time(&a->limit.idle, who, row, value);
    case OPTION_FIRST:
        return read_time(&a->limit.first, who, row, value);
    case OPTION_STALLED:
        return read_time(&a->limit.stalled, who, row, value);
    case OPTION_WHOLE:
        return read_time(&a->limit.whole, who, row, value);
    case OPTION_GRACE:
        return read_time(&a->grace, who, row, value);
    case OPTION_TIMEOUT:
        return read_time(&a->timeout, who, row, value);
    case OPTION_WAIT:
        return read_time(&a->wait, who, row, value);
    case OPTION_SECONDS:
        if (cord_span_parse(&a->seconds, value) < 0 || a->seconds <= 0 || a->seconds > CORD_MINUTE)
            return usage_error(who, "--seconds %s: write more than 0 and at most 60", value);
        return 0;
    case OPTION_ENCODING:
        if (cord_decoder_init(&decoder, value, CORD_STRICT) < 0)
            return usage_error(who, "--encoding: %s", cord_error_detail());
        a->encoding = value;
        return 0;
    case OPTION_NAME:
        if (!*value || strlen(value) >= NAME_SIZE)
            return usage_error(who, "--name: write a name of 1 to %d bytes", NAME_SIZE - 1);
        a->name = value;
        return 0;
    default:
        return usage_error(who, "--%s takes no value", row->name);
    }
}

/* An option without a value. 0, or an exit code + 1. */
static int set_flag(struct arguments *a, const struct option_row *row)
{
    a->quiet |= row->id == OPTION_QUIET;
    a->verbose |= row->id == OPTION_VERBOSE;
    a->reply |= row->id == OPTION_REPLY;
    a->json |= row->id == OPTION_JSON;
    a->fork |= row->id == OPTION_FORK;
    if (row->id != OPTION_HELP)
        return 0;
    print_command_help(stdout, a->command);
    return 1;
}

/* One option at argv[*i]; moves on over a value behind it. 0, or an exit code + 1. */
static int read_option(struct arguments *a, int argc, char **argv, int *i)
{
    const char *text = argv[*i], *who = a->command->name, *value = NULL;
    unsigned where = where_of(a->command);
    const struct option_row *row;
    if (text[1] == '-') {
        size_t length = strcspn(text + 2, "=");
        row = find_option(where, text + 2, length);
        if (text[2 + length] == '=')
            value = text + 2 + length + 1;
    } else {
        row = find_letter(where, text[1]);
        if (row && row->value && text[2])
            value = text + 2;
        else if (row && text[2]) { /* -qv */
            int rc = set_flag(a, row);
            argv[*i] = argv[*i] + 1;
            argv[*i][0] = '-';
            --*i;
            return rc;
        }
    }
    if (!row)
        return unknown_option(who, where, text) + 1;
    if (!row->value && value)
        return usage_error(who, "--%s takes no value", row->name) + 1;
    if (!row->value)
        return set_flag(a, row);
    if (!value && *i + 1 >= argc)
        return usage_error(who, "--%s needs a value%s%s", row->name, *row->choices ? ": " : "", row->choices) + 1;
    if (!value)
        value = argv[++*i];
    int rc = read_value(a, who, row, value);
    return rc ? rc + 1 : 0;
}

int read_options(struct arguments *arguments, int argc, char **argv, const char **list)
{
    bool options = true;
    for (int i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
            arguments->dashes = arguments->count;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            int rc = read_option(arguments, argc, argv, &i);
            if (rc)
                return rc;
        } else {
            list[arguments->count++] = argv[i];
        }
    }
    list[arguments->count] = NULL;
    arguments->words = list;
    return 0;
}

static void print_options(FILE *to, unsigned where)
{
    fputs("\nOptions:\n", to);
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];
        if (!(row->where & where))
            continue;
        char left[40], letter[] = { '-', row->letter, ',', ' ', '\0' };
        snprintf(left, sizeof left, "%s--%s%s%s", row->letter ? letter : "    ", row->name, row->value ? " " : "",
                 row->value ? row->value : "");
        fprintf(to, "  %-26s %s\n", left, row->help);
    }
}

void print_help(FILE *to)
{
    fputs("cordage: sockets and servers from the command line; each way of running is one word\n\nUsage:\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  cordage %s%s%s\n", commands[i].name, *commands[i].operands ? " " : "", commands[i].operands);
    fputs("\nCommands:\n", to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    print_options(to, IN_MAIN);
    fputs(
        "\nAn ADDRESS is tcp:HOST:PORT, udp:HOST:PORT, unix:/PATH, unixgram:/PATH or fd:NUMBER; a host of * is every\n"
        "interface, and port 0 picks a free one. `cordage COMMAND --help` tells more.\n",
        to);
}

void print_command_help(FILE *to, const struct command *command)
{
    fprintf(to, "cordage %s: %s\n\nUsage:\n  cordage %s %s%s[OPTIONS]\n\n%s", command->name, command->summary,
            command->name, command->operands, *command->operands ? " " : "", command->details);
    print_options(to, where_of(command));
}
