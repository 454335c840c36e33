/* Chat messages: {"msg": TEXT, "username": NAME}, as the Python programs of the notes send them.
 *
 * Read by jansson, which is strict about UTF-8; its parser recurses, so that what is nested deeper than 64 is refused
 * before. Written by cord_json_quote() in json.dumps' default form, byte for byte.
 */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

enum { DEEPEST = 64, SHOWN = 40 };

/* What was sent, for a log: the first bytes as a JSON string, so that no terminal obeys it. */
static const char *shown(char *buf, size_t size, const char *bytes, size_t count)
{
    char text[3 * SHOWN + 4];
    size_t cut = count < SHOWN ? count : SHOWN;
    while (cut < count && cut > 0 && ((unsigned char)bytes[cut] & 0xc0) == 0x80)
        cut--;
    if (cord_decode(text, sizeof text, "utf-8", bytes, cut, CORD_REPLACE) < 0 || cord_json_quote(buf, size, text) < 0)
        snprintf(buf, size, "\"\"");
    return buf;
}

static size_t characters(const char *bytes, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += ((unsigned char)bytes[i] & 0xc0) != 0x80;
    return n;
}

static bool is_too_deep(const char *bytes, size_t size)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        if (quoted && bytes[i] == '\\')
            i++;
        else if (bytes[i] == '"')
            quoted = !quoted;
        else if (!quoted && (bytes[i] == '[' || bytes[i] == '{') && ++depth > DEEPEST)
            return true;
        else if (!quoted && (bytes[i] == ']' || bytes[i] == '}') && depth > 0)
            depth--;
    }
    return false;
}

/* jansson tells where the offending word ends, and the word: Python tells where it begins. In a string that has not
 * ended it tells the place. */
static size_t error_position(const json_error_t *error, const char *bytes, size_t size)
{
    size_t at = error->position > 0 ? (size_t)error->position : 0;
    const char *near = strstr(error->text, " near '");
    if (near && near[strlen(near) - 1] == '\'') {
        size_t length = strlen(near + 7) - 1;
        bool unfinished = near[7] == '"' && (length < 2 || near[7 + length - 1] != '"');
        if (!unfinished)
            at = at > length ? at - length : 0;
    }
    return characters(bytes, at < size ? at : size);
}

static void copy(char *to, size_t size, const char *from, bool *cut)
{
    size_t length = strlen(from), most = size - 1;
    if (length > most) {
        while (most > 0 && ((unsigned char)from[most] & 0xc0) == 0x80)
            most--;
        length = most;
        *cut = true;
    }
    memcpy(to, from, length);
    to[length] = '\0';
}

int message_read(struct message *ret, const char *bytes, size_t size, char *why, size_t why_size)
{
    json_error_t error;
    char quote[6 * 3 * SHOWN];
    shown(quote, sizeof quote, bytes, size);
    if (is_too_deep(bytes, size)) {
        snprintf(why, why_size, "JSON nested deeper than %d: %s", DEEPEST, quote);
        return -1;
    }
    json_t *message = json_loadb(bytes, size, JSON_DECODE_ANY, &error);
    if (!message) {
        snprintf(why, why_size, "not JSON at character %zu: %s", error_position(&error, bytes, size), quote);
        return -1;
    }
    const char *text = json_string_value(json_object_get(message, "msg"));
    const char *name = json_string_value(json_object_get(message, "username"));
    bool cut = false;
    ret->too_long = false;
    if (text && name) {
        copy(ret->text, sizeof ret->text, text, &ret->too_long);
        copy(ret->name, sizeof ret->name, name, &cut);
    } else {
        snprintf(why, why_size, "no text under \"%s\": %s", text ? "username" : "msg", quote);
    }
    json_decref(message);
    return text && name ? 0 : -1;
}

size_t message_write(char *buf, const char *name, const char *text)
{
    char quoted_name[6 * NAME_SIZE + 3];
    size_t used = (size_t)snprintf(buf, MESSAGE_SIZE, "{\"msg\": ");
    ssize_t n = cord_json_quote(buf + used, MESSAGE_SIZE - used, text);
    used += n > 0 ? (size_t)n : 0;
    if (cord_json_quote(quoted_name, sizeof quoted_name, name) < 0)
        quoted_name[0] = '\0';
    return used + (size_t)snprintf(buf + used, MESSAGE_SIZE - used, ", \"username\": %s}", quoted_name);
}

/* A stranger's message must not move the cursor or change the terminal. C1 controls are two bytes in UTF-8. */
static char *harmless(const char *text)
{
    char *copied = strdup(text);
    for (unsigned char *p = (unsigned char *)copied; p && *p; p++)
        if (*p < ' ' || *p == 0x7f)
            *p = ' ';
        else if (*p == 0xc2 && p[1] < 0xa0)
            p[0] = p[1] = ' ';
    return copied;
}

int message_print(const char *name, const char *text, const char *prompt)
{
    if (!isatty(STDOUT_FILENO))
        return (int)cord_print(words(WORD_MESSAGE), name, text);
    char *plain_name = harmless(name), *plain_text = harmless(text), *line = NULL;
    int rc = -ENOMEM;
    if (plain_name && plain_text && asprintf(&line, words(WORD_MESSAGE), plain_name, plain_text) >= 0)
        rc = (int)cord_print("%s%s%s", prompt ? "\r" : "", line, prompt ? prompt : "");
    free(plain_name);
    free(plain_text);
    free(line);
    return rc;
}
