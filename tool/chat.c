/* `cordage chat`: talks in a room. Full duplex: the main task hears, a second one reads what is typed. The end of the
 * input leaves the room, and so does the end of the connection.
 */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct chat {
    cord_socket room;
    char room_text[CORD_ADDRESS_TEXT];
    const char *name;
    const char *prompt; /* NULL: nobody types at a terminal */
    bool stream;
    bool left;          /* the input has ended, and with it the talk */
    int code;           /* of the talk: 0, or what it failed with */
    char sentence[256]; /* of that failure */
    uint64_t sent, heard;
};

static ssize_t speak(struct chat *chat, const char *text, char *wire)
{
    size_t n = message_write(wire, chat->name, text);
    if (chat->stream)
        wire[n++] = '\n';
    return cord_send_all(chat->room, wire, n, CORD_FOREVER);
}

/* A task: from the keyboard to the room. */
static int talk(void *arg)
{
    struct chat *chat = arg;
    char *line = malloc(TEXT_SIZE), *wire = malloc(MESSAGE_SIZE);
    ssize_t rc = line && wire ? 1 : -ENOMEM;
    while (rc > 0) {
        rc = cord_input(chat->prompt, line, TEXT_SIZE, CORD_FOREVER);
        if (rc == CORD_ETOOLONG) {
            say("chat: a message has at most %d bytes; that line was not sent", TEXT_SIZE - 1);
            rc = 1;
        } else if (rc > 0) {
            rc = speak(chat, line, wire);
            chat->sent += rc > 0;
        }
    }
    free(line);
    free(wire);
    if (rc < 0 && rc != -EPIPE) {
        chat->code = (int)rc;
        snprintf(chat->sentence, sizeof chat->sentence, "%s", cord_error_detail());
    }
    chat->left = true;
    if (rc < 0 || !chat->stream || cord_shutdown(chat->room, SHUT_WR) < 0)
        cord_close(&(cord_socket){ chat->room.id });
    return 0;
}

/* What came: JSON is a message; a line of text is the room's own word to one who has not sent JSON yet. */
static int show(struct chat *chat, const char *bytes, size_t size)
{
    struct message *message = malloc(sizeof *message);
    char why[512];
    int rc = -ENOMEM;
    if (message && message_read(message, bytes, size, why, sizeof why) == 0)
        rc = message_print(message->name, message->text, chat->prompt);
    else if (message && chat->stream && bytes[0] != '{')
        rc = (int)cord_print("%s\n", bytes);
    else if (message)
        say("%s: %s; ignored", chat->room_text, why), rc = 0;
    chat->heard += rc > 0;
    free(message);
    return rc;
}

static ssize_t hear(struct chat *chat)
{
    char *wire = malloc(MESSAGE_SIZE + 1);
    ssize_t n = wire ? 1 : -ENOMEM;
    while (n >= 0) {
        n = chat->stream ? cord_read_line(chat->room, wire, MESSAGE_SIZE, CORD_FOREVER)
                         : cord_recv(chat->room, wire, MESSAGE_SIZE, CORD_FOREVER);
        if (n < 0 || (n == 0 && chat->stream))
            break;
        wire[n] = '\0';
        int rc = show(chat, wire, chat->stream ? strlen(wire) : (size_t)n);
        if (rc < 0)
            n = rc;
    }
    free(wire);
    return n;
}

int run_chat(const struct arguments *a)
{
    const char *address = a->count ? a->words[0] : "udp:127.0.0.1:9090", *user = getenv("USER");
    if (a->count > 1)
        return usage_error("chat", "one address, not %d: %s", a->count, a->words[1]);
    struct chat chat = { .name = a->name                                     ? a->name
                                 : user && *user && strlen(user) < NAME_SIZE ? user
                                                                             : "guest",
                         .prompt = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? ">>>" : NULL };
    cord_address peer;
    int rc = reach(&chat.room, &peer, &chat.stream, address, a->timeout >= 0 ? cord_in(a->timeout) : CORD_FOREVER);
    if (rc < 0)
        return rc;
    cord_address_text(&peer, chat.room_text, sizeof chat.room_text);
    cord_task *talker;
    rc = cord_task_start(&talker, talk, &chat, 0, &(cord_task_options){ .name = "talk", .daemon = true });
    if (rc == 0) {
        ssize_t n = hear(&chat);
        rc = n == -EPIPE || (n < 0 && chat.left) ? 0 : (int)n;
        if (rc == 0 && chat.code < 0) {
            say("chat: %s", chat.sentence);
            rc = 1;
        }
        end_task(talker);
    }
    snprintf(a->summary, SUMMARY, "%llu messages sent, %llu received", (unsigned long long)chat.sent,
             (unsigned long long)chat.heard);
    cord_close(&chat.room);
    return rc;
}
