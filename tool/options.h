/* tool/options.h - the table of options, for parsing, help and completions. */
#ifndef TOOL_OPTIONS_H
#define TOOL_OPTIONS_H

#include "tool.h"

enum option_id {
    OPTION_KIND,
    OPTION_FORK,
    OPTION_MAX,
    OPTION_PEER,
    OPTION_REFUSE,
    OPTION_LOOPS,
    OPTION_SPIN,
    OPTION_IDLE,
    OPTION_FIRST,
    OPTION_STALLED,
    OPTION_WHOLE,
    OPTION_GRACE,
    OPTION_NAME,
    OPTION_TIMEOUT,
    OPTION_WAIT,
    OPTION_REPLY,
    OPTION_ENCODING,
    OPTION_SECONDS,
    OPTION_JSON,
    OPTION_QUIET,
    OPTION_VERBOSE,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COMPLETIONS
};

/* Where an option may stand: a bit for each command in the order of commands[], and one for `cordage` alone. */
enum {
    IN_SERVE = 1,
    IN_CHAT = 2,
    IN_CONNECT = 4,
    IN_SEND = 8,
    IN_DOCTOR = 16,
    IN_BENCH = 32,
    IN_ALL = 63,
    IN_MAIN = 64
};

struct option_row {
    enum option_id id;
    char letter; /* 0: none */
    const char *name;
    const char *value;   /* what stands for its value in the help; NULL: it takes none */
    const char *choices; /* its values, for completions; "" if anything */
    unsigned where;
    const char *help;
};
extern const struct option_row option_table[];
extern const size_t option_count;

unsigned where_of(const struct command *command); /* NULL: `cordage` alone */

#endif
