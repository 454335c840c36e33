/* `cordage connect`: stdin to the peer, the peer to stdout. The main task hears, a second one reads the input. A
 * stream is half-closed when the input ends, and the program ends when the peer does. With datagrams each line is one,
 * each reply is a line, and after the input's end replies are waited for a while.
 */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PIECE = 16 * 1024, DATAGRAM = 65507, GROWTH = 4 /* most bytes that one byte of another encoding becomes */ };

struct link {
    cord_socket peer, in, out;
    bool stream;
    cord_decoder typed;   /* of the input, which is UTF-8; only with an encoding */
    cord_decoder heard;   /* of the peer's bytes; likewise */
    const char *encoding; /* NULL: bytes as they are */
    cord_span wait;
    bool left; /* the input has ended */
    int code;  /* what sending failed with */
    char sentence[256];
    uint64_t sent, received;
};

/* Sends a piece of the input, in the peer's encoding. text has room for GROWTH times the piece. */
static ssize_t send_piece(struct link *link, const char *bytes, size_t size, bool final, char *text)
{
    if (!link->encoding)
        return cord_send_all(link->peer, bytes, size, CORD_FOREVER);
    ssize_t n = cord_decoder_feed(&link->typed, text, GROWTH * PIECE, bytes, size, final);
    char *encoded = text + GROWTH * PIECE;
    if (n > 0)
        n = cord_encode(encoded, GROWTH * PIECE, link->encoding, text, (size_t)n, CORD_STRICT);
    if (n < 0 || (n == 0 && link->stream))
        return n;
    return cord_send_all(link->peer, encoded, (size_t)n, CORD_FOREVER);
}

static ssize_t send_stream(struct link *link, char *buf)
{
    ssize_t n = 1, rc = 0;
    while (n > 0 && rc >= 0) {
        n = cord_recv(link->in, buf, PIECE, CORD_FOREVER);
        if (n >= 0)
            rc = send_piece(link, buf, (size_t)n, n == 0, buf + PIECE);
        link->sent += rc > 0 ? (uint64_t)rc : 0;
    }
    return rc < 0 ? rc : n;
}

static ssize_t send_lines(struct link *link, char *buf)
{
    ssize_t rc = 0;
    while (rc >= 0) {
        ssize_t n = cord_read_line(link->in, buf, PIECE, CORD_FOREVER);
        if (n <= 0)
            return n;
        rc = send_piece(link, buf, strlen(buf), true, buf + PIECE);
        link->sent += rc > 0 ? (uint64_t)rc : 0;
    }
    return rc;
}

/* A task: from stdin to the peer. */
static int send_input(void *arg)
{
    struct link *link = arg;
    char *buf = malloc(PIECE + 2 * GROWTH * PIECE);
    ssize_t rc = !buf ? -ENOMEM : link->stream ? send_stream(link, buf) : send_lines(link, buf);
    free(buf);
    if (rc < 0) {
        link->code = (int)rc;
        snprintf(link->sentence, sizeof link->sentence, "%s", cord_error_detail());
    } else if (!link->stream) {
        rc = cord_sleep(link->wait);
    }
    link->left = true;
    if (rc < 0 || !link->stream || cord_shutdown(link->peer, SHUT_WR) < 0)
        cord_close(&(cord_socket){ link->peer.id });
    return 0;
}

static ssize_t print_piece(struct link *link, char *bytes, size_t size, char *text)
{
    ssize_t n = (ssize_t)size;
    if (link->encoding)
        n = cord_decoder_feed(&link->heard, text, GROWTH * (size_t)DATAGRAM, bytes, size, !link->stream || size == 0);
    char *out = link->encoding ? text : bytes;
    if (n >= 0 && !link->stream)
        out[n++] = '\n';
    return n > 0 ? cord_send_all(link->out, out, (size_t)n, CORD_FOREVER) : n;
}

static ssize_t hear(struct link *link)
{
    char *bytes = malloc(DATAGRAM + 2 + GROWTH * (size_t)DATAGRAM + 2);
    ssize_t n = bytes ? 1 : -ENOMEM, rc = 0;
    while (n >= 0 && rc >= 0) {
        n = cord_recv(link->peer, bytes, DATAGRAM, CORD_FOREVER);
        if (n >= 0)
            rc = print_piece(link, bytes, (size_t)n, bytes + DATAGRAM + 2);
        if (n == 0 && link->stream)
            break;
        link->received += n > 0 ? (uint64_t)n : 0;
    }
    free(bytes);
    return rc < 0 ? rc : n;
}

static int open_link(struct link *link, const struct arguments *a)
{
    cord_address peer;
    int rc =
        reach(&link->peer, &peer, &link->stream, a->words[0], a->timeout >= 0 ? cord_in(a->timeout) : CORD_FOREVER);
    if (rc == 0)
        rc = cord_connect(&link->in, "fd:0", NULL, CORD_FOREVER);
    if (rc == 0)
        rc = cord_connect(&link->out, "fd:1", NULL, CORD_FOREVER);
    if (rc == 0 && link->encoding)
        rc = cord_decoder_init(&link->typed, "utf-8", CORD_STRICT);
    if (rc == 0 && link->encoding)
        rc = cord_decoder_init(&link->heard, link->encoding, CORD_REPLACE);
    return rc;
}

/* What ended the hearing, as the command's answer. */
static int judge(const struct link *link, ssize_t heard)
{
    if (heard == -EPIPE) /* stdout was closed */
        return 0;
    if (link->code < 0 && (link->left || heard == 0)) {
        say("connect: %s", link->sentence);
        return 1;
    }
    return heard == -EBADF && link->left ? 0 : (int)heard;
}

int run_connect(const struct arguments *a)
{
    if (a->count != 1)
        return a->count ? usage_error("connect", "one address, not %d: %s", a->count, a->words[1])
                        : usage_error("connect", "no address; write one such as tcp:HOST:PORT");
    struct link link = { .encoding = a->encoding, .wait = a->wait >= 0 ? a->wait : CORD_SECOND };
    cord_task *sender;
    int rc = open_link(&link, a);
    if (rc == 0)
        rc = cord_task_start(&sender, send_input, &link, 0, &(cord_task_options){ .name = "stdin", .daemon = true });
    if (rc == 0) {
        rc = judge(&link, hear(&link));
        end_task(sender);
    }
    snprintf(a->summary, SUMMARY, "%llu bytes sent, %llu received", (unsigned long long)link.sent,
             (unsigned long long)link.received);
    cord_close(&link.peer);
    cord_close(&link.in);
    cord_close(&link.out);
    return rc;
}
