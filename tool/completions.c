/* Completions for bash, zsh and fish, from the table that also makes the help:
 *     eval "$(cordage --completions bash)"      cordage --completions fish | source
 * bash and zsh get the same plan in their own words: the values of the option before the cursor, else the command's
 * options and the choices for its first operand.
 */
#include <string.h>

#include "options.h"

struct dialect {
    const char *head, *last, *offer, *offer_end, *second, *command, *tail;
};

static const struct dialect bash = {
    .head = "_cordage() {\n    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]}\n",
    .last = "    case $last in\n",
    .offer = "COMPREPLY=($(compgen -W \"",
    .offer_end = "\" -- \"$word\"))",
    .second = "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        ",
    .command = "    case ${COMP_WORDS[1]} in\n",
    .tail = "}\ncomplete -o default -F _cordage cordage\n",
};
static const struct dialect zsh = {
    .head = "#compdef cordage\n_cordage() {\n    local last=${words[CURRENT-1]}\n",
    .last = "    case $last in\n",
    .offer = "compadd -- ",
    .offer_end = "",
    .second = "    if (( CURRENT == 2 )); then\n        ",
    .command = "    case ${words[2]} in\n",
    .tail = "}\ncompdef _cordage cordage\n",
};

static void print_words(unsigned where, const char *choices)
{
    const char *gap = *choices ? " " : "";
    fputs(choices, stdout);
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].where & where) {
            printf("%s--%s", gap, option_table[i].name);
            gap = " ";
        }
}

static void print_shell(const struct dialect *d)
{
    fputs(d->head, stdout);
    fputs(d->last, stdout);
    for (size_t i = 0; i < option_count; i++) {
        const struct option_row *row = &option_table[i];
        if (!row->value || !*row->choices)
            continue;
        char letter[] = { '-', row->letter, '|', '\0' };
        printf("    %s--%s) %s%s%s; return ;;\n", row->letter ? letter : "", row->name, d->offer, row->choices,
               d->offer_end);
    }
    fputs("    esac\n", stdout);
    fputs(d->second, stdout);
    fputs(d->offer, stdout);
    for (size_t i = 0; i < COMMANDS; i++)
        printf("%s ", commands[i].name);
    print_words(IN_MAIN, "");
    printf("%s\n        return\n    fi\n%s", d->offer_end, d->command);
    for (size_t i = 0; i < COMMANDS; i++) {
        printf("    %s) %s", commands[i].name, d->offer);
        print_words(where_of(&commands[i]), commands[i].choices);
        printf("%s ;;\n", d->offer_end);
    }
    fputs("    esac\n", stdout);
    fputs(d->tail, stdout);
}

static void print_fish_option(const struct option_row *row, const char *when)
{
    printf("complete -c cordage -n '%s' -l %s", when, row->name);
    if (row->letter)
        printf(" -s %c", row->letter);
    if (row->value)
        printf(*row->choices ? " -x -a '%s'" : " -x%s", row->choices);
    printf(" -d '");
    for (const char *p = row->help; *p; p++)
        printf(*p == '\'' ? "\\'" : "%c", *p);
    printf("'\n");
}

static void print_fish(void)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *command = &commands[i];
        char when[64];
        printf("complete -c cordage -n __fish_use_subcommand -a %s -d '%s'\n", command->name, command->summary);
        snprintf(when, sizeof when, "__fish_seen_subcommand_from %s", command->name);
        if (*command->choices)
            printf("complete -c cordage -n '%s' -a '%s'\n", when, command->choices);
        for (size_t j = 0; j < option_count; j++)
            if (option_table[j].where & where_of(command))
                print_fish_option(&option_table[j], when);
    }
    for (size_t j = 0; j < option_count; j++)
        if (option_table[j].where & IN_MAIN)
            print_fish_option(&option_table[j], "__fish_use_subcommand");
}

int print_completions(const char *shell)
{
    if (shell && strcmp(shell, "bash") == 0)
        print_shell(&bash);
    else if (shell && strcmp(shell, "zsh") == 0)
        print_shell(&zsh);
    else if (shell && strcmp(shell, "fish") == 0)
        print_fish();
    else
        return usage_error(NULL,
                           shell ? "--completions %s: choose bash, zsh or fish" : "--completions needs a value: %s",
                           shell ? shell : "bash zsh fish");
    return 0;
}
