/* `cordage send`: one message and out. Success means that the system took it; with --reply, that an answer came. */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 1024 * 1024, REPLY = 65507 };

/* All of stdin; -EMSGSIZE when it is more than fits. */
static ssize_t read_all(char *buf)
{
    cord_socket in;
    ssize_t n = cord_connect(&in, "fd:0", NULL, CORD_FOREVER);
    size_t used = 0;
    if (n < 0)
        return n;
    while (used < MOST && (n = cord_recv(in, buf + used, MOST - used, CORD_FOREVER)) > 0)
        used += (size_t)n;
    cord_close(&in);
    return n < 0 ? n : used < MOST ? (ssize_t)used : -EMSGSIZE;
}

/* The text to send, from the command line, stdin or a question. */
static ssize_t read_text(const struct arguments *a, char *buf)
{
    if (a->count == 2 && strcmp(a->words[1], "-") == 0)
        return read_all(buf);
    size_t used = 0;
    for (int i = 1; i < a->count && used < MOST; i++)
        used += (size_t)snprintf(buf + used, MOST - used, "%s%s", i > 1 ? " " : "", a->words[i]);
    if (a->count > 1)
        return used < MOST ? (ssize_t)used : -EMSGSIZE;
    ssize_t n = cord_input(isatty(STDIN_FILENO) ? words(WORD_ASK_TEXT) : NULL, buf, MOST, CORD_FOREVER);
    return n < 0 ? n : (ssize_t)strlen(buf);
}

static ssize_t print_reply(const struct arguments *a, cord_socket peer, char *buf, cord_deadline deadline)
{
    ssize_t n = cord_recv(peer, buf, REPLY, deadline);
    if (n < 0)
        return n;
    char *text = buf + REPLY;
    ssize_t length = a->encoding ? cord_decode(text, MOST, a->encoding, buf, (size_t)n, CORD_STRICT) : n;
    if (!a->encoding)
        text = buf;
    cord_socket out = { 0 };
    ssize_t rc = length < 0 ? length : cord_connect(&out, "fd:1", NULL, CORD_FOREVER);
    if (rc == 0) {
        text[length] = '\n';
        rc = cord_send_all(out, text, (size_t)length + 1, CORD_FOREVER); /* and not print: a reply may hold a NUL */
    }
    cord_close(&out);
    return rc == -EPIPE ? 0 : rc; /* stdout was closed */
}

static ssize_t deliver(const struct arguments *a, const char *bytes, size_t size, char *buf)
{
    cord_deadline deadline = cord_in(a->timeout >= 0 ? a->timeout : 10 * CORD_SECOND);
    cord_socket peer;
    cord_address address;
    bool stream;
    ssize_t rc = reach(&peer, &address, &stream, a->words[0], deadline);
    if (rc < 0)
        return rc;
    rc = cord_send_all(peer, bytes, size, deadline);
    if (rc >= 0 && a->reply)
        rc = print_reply(a, peer, buf, deadline);
    if (rc >= 0 && stream && cord_shutdown(peer, SHUT_WR) < 0)
        rc = 0; /* the peer has gone; the message was handed over */
    cord_close(&peer);
    return rc;
}

int run_send(const struct arguments *a)
{
    if (!a->count)
        return usage_error("send", "no address; write one such as udp:HOST:PORT");
    char *text = malloc(MOST), *coded = malloc(2 * MOST), *buf = malloc(REPLY + MOST);
    ssize_t n = text && coded && buf ? read_text(a, text) : -ENOMEM;
    char *bytes = text;
    bool too_long = n == -EMSGSIZE; /* while deliver() may answer that of a datagram, with a sentence */
    if (n >= 0 && a->encoding) {
        n = cord_encode(coded, 2 * MOST, a->encoding, text, (size_t)n, CORD_STRICT);
        bytes = coded;
    }
    if (n >= 0)
        n = deliver(a, bytes, (size_t)n, buf);
    free(text);
    free(coded);
    free(buf);
    if (too_long)
        say("send: a message is shorter than %d bytes; `cordage connect` sends any amount", MOST);
    return too_long ? 1 : n < 0 ? (int)n : 0;
}
