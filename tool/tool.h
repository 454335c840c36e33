/* tool/tool.h - what the files of the command `cordage` share.
 *
 * One file per subcommand, each with one function that runs inside cord_run() and answers an exit code or a negative
 * code with its sentence; main.c reports it. options.c has the one table of options that makes parsing, help and
 * completions. Only public headers of the library are used here.
 */
#ifndef TOOL_H
#define TOOL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cordage.h>

enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

/* The command line, read. */
struct arguments {
    const struct command *command;
    const char **words; /* what is no option: handler, addresses, text; ended by NULL */
    int count;          /* of words */
    int dashes;         /* how many words stood before "--"; -1: there was none */
    cord_kind kind;
    uint32_t max_connections, max_per_peer, loops;
    cord_socket_limits limit;
    cord_span grace, spin;
    const char *refusal;  /* NULL: not given */
    cord_span timeout;    /* < 0: not given */
    cord_span wait;       /* < 0: not given */
    cord_span seconds;    /* of bench, for each subject */
    const char *encoding; /* NULL: not given */
    const char *name;
    bool quiet, verbose, reply, json, fork;
    char *summary; /* SUMMARY bytes: what an interrupted command has done so far, for the last line */
};
enum { SUMMARY = 160 };

struct command {
    const char *name;
    const char *operands;
    const char *summary; /* one line for the list of commands */
    const char *details; /* below the usage in its help; lines end in \n */
    const char *choices; /* what its first operand can be, for completions; "" if anything */
    int (*run)(const struct arguments *arguments);
};
enum { COMMANDS = 6 };
extern const struct command commands[COMMANDS];

int run_serve(const struct arguments *arguments);
int run_chat(const struct arguments *arguments);
int run_connect(const struct arguments *arguments);
int run_send(const struct arguments *arguments);
int run_doctor(const struct arguments *arguments);
int run_bench(const struct arguments *arguments);

/* ---- options.c ---- */

/* Reads argv behind the command's name. 0, or an exit code + 1 when there is nothing more to do (help was printed, or
 * what is wrong). words needs room for argc pointers. */
int read_options(struct arguments *arguments, int argc, char **argv, const char **words);
void print_help(FILE *to);                                        /* of all */
void print_command_help(FILE *to, const struct command *command); /* of one */
int print_completions(const char *shell);                         /* the exit code */

/* "cordage: COMMAND: ..." on stderr; the exit code 2. */
int usage_error(const char *command, const char *format, ...) CORD_PRINTF(2, 3);

/* "; did you mean \"echo\"?" when a word of the list (separated by spaces) is close, else "". Returns buf. */
const char *did_you_mean(char *buf, size_t size, const char *word, const char *list);

/* ---- words.c: what is said in the user's language ---- */

enum word {
    WORD_MESSAGE,  /* a chat message: name, text */
    WORD_GONE,     /* a client has finished */
    WORD_ASK_TEXT, /* asks for the text to send */
    WORD_ALONE,
    WORD_LONG,     /* not sent to UDP members */
    WORD_TOO_LONG, /* not sent at all: the most bytes */
    WORD_FAST,     /* the most messages a second */
    WORD_FULL,
    WORD_NAMED, /* the new name */
    WORDS
};
const char *words(enum word word);

/* ---- message.c: chat messages on the wire ---- */

enum { NAME_SIZE = 64, TEXT_SIZE = 4096, MESSAGE_SIZE = 6 * (NAME_SIZE + TEXT_SIZE) + 64, WIRE_SIZE = 1024 };

struct message {
    char name[NAME_SIZE];
    char text[TEXT_SIZE];
    bool too_long; /* the text did not fit and was cut */
};

/* Reads {"msg": TEXT, "username": NAME}. 0, or -1 and in why what is wrong with it: `not JSON at character 0: "hi"`. */
int message_read(struct message *ret, const char *bytes, size_t size, char *why, size_t why_size);

/* Writes it as Python's json.dumps does; buf holds MESSAGE_SIZE bytes. The length. */
size_t message_write(char *buf, const char *name, const char *text);

/* Prints "message from NAME : TEXT" on stdout. On a terminal control characters become spaces, and the line takes the
 * place of the prompt (NULL: none), which follows it. As cord_print(). */
int message_print(const char *name, const char *text, const char *prompt);

/* ---- exec.c: a program for each connection ---- */

/* Runs argv (ended by NULL) with the connection as its stdin and stdout, and waits for its end. */
int exec_handle(cord_request *request, const char *const *argv);

/* What went through a connection. */
struct traffic {
    uint64_t in, out;
};

/* ---- room.c: the chat room of `serve chat` ---- */

struct room;

/* Opens the room's listeners for the addresses and gives those for cord_serve() in ret: a list ended by NULL, which
 * lives as long as the room. Fails: as cord_listen(). */
int room_open(struct room **ret, const char *const *addresses, int count, const char *const **served);
void room_close(struct room *room); /* NULL is allowed */

/* For one request; answers as a handler. */
int room_handle(struct room *room, cord_request *request, struct traffic *traffic);

/* A task: what is typed goes to all. Its argument is a struct room **. */
int room_console(void *arg);

/* ---- main.c ---- */

/* One line on stderr, "cordage: ..." in front. */
void say(const char *format, ...) CORD_PRINTF(1, 2);

/* Connects to the address; tells who is there, and whether by a stream or by datagrams. As cord_connect(). */
int reach(cord_socket *ret, cord_address *peer, bool *is_stream, const char *address, cord_deadline deadline);

/* Cancels a task and waits for its end, also when the caller itself was cancelled: it uses the caller's memory. */
void end_task(cord_task *task);

#endif
