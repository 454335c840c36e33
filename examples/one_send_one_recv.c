/* "Always one send, one recv": why the rule breaks, and what makes it unnecessary.
 * Note S4 line 2 (row 50), "永远遵循一发一收". Python: nothing; struct.pack('!i', len(data)) by hand.
 * Run: ./one_send_one_recv
 * TCP carries bytes, not messages. Three messages that leave close together arrive as one, and one that is larger
 * than the receiver's buffer arrives as several. With a length in front of each (cord_send_frame, the wire form of
 * Python's multiprocessing.connection) one recv_frame is one message again, whatever the network does. */
#include <string.h>

#include <cordage.h>

enum { LARGE = 3000 };

static const char *const words[3] = { "one", "two", "three" };

static ssize_t connected(cord_socket pair[2])
{
    char text[CORD_ADDRESS_TEXT];
    cord_address local;
    cord_socket listener = { 0 };
    int rc = cord_listen(&listener, "tcp:127.0.0.1:0", NULL);
    if (rc == 0)
        rc = cord_local(listener, &local);
    if (rc == 0)
        rc = cord_connect(&pair[0], cord_address_text(&local, text, sizeof text), NULL, CORD_FOREVER);
    if (rc == 0)
        rc = cord_accept(listener, &pair[1], NULL, CORD_FOREVER);
    cord_close(&listener);
    return rc;
}

static ssize_t without_frames(cord_socket from, cord_socket to)
{
    char got[LARGE], large[LARGE];
    struct iovec pieces[3];
    for (int i = 0; i < 3; i++) /* three sends in one segment, as the kernel makes of them when it is busy */
        pieces[i] = (struct iovec){ .iov_base = (void *)words[i], .iov_len = strlen(words[i]) };
    ssize_t rc = cord_send_vector(from, pieces, 3, CORD_FOREVER);
    if (rc >= 0)
        rc = cord_recv(to, got, 1024, CORD_FOREVER);
    if (rc < 0)
        return rc;
    cord_print("without frames: sent \"one\", \"two\", \"three\"; one recv gave \"%.*s\"\n", (int)rc, got);

    memset(large, 'x', sizeof large);
    rc = cord_send_all(from, large, sizeof large, CORD_FOREVER);
    if (rc >= 0)
        rc = cord_recv(to, got, 1024, CORD_FOREVER);
    if (rc < 0)
        return rc;
    cord_print("without frames: sent %d bytes; one recv gave %zd\n", LARGE, rc);
    return cord_read_exact(to, got, LARGE - (size_t)rc,
                           CORD_FOREVER); /* what the rule would take for the next answer */
}

static ssize_t with_frames(cord_socket from, cord_socket to)
{
    char got[LARGE], large[LARGE];
    ssize_t rc = 0;
    for (int i = 0; i < 3 && rc >= 0; i++)
        rc = cord_send_frame(from, words[i], strlen(words[i]), CORD_FOREVER);
    for (int i = 0; i < 3 && rc >= 0; i++) {
        rc = cord_recv_frame(to, got, sizeof got, CORD_FOREVER);
        if (rc >= 0)
            cord_print("with frames: one recv gave \"%.*s\"\n", (int)rc, got);
    }
    memset(large, 'x', sizeof large);
    if (rc >= 0)
        rc = cord_send_frame(from, large, sizeof large, CORD_FOREVER);
    if (rc >= 0)
        rc = cord_recv_frame(to, got, sizeof got, CORD_FOREVER);
    if (rc >= 0)
        cord_print("with frames: sent %d bytes; one recv gave %zd\n", LARGE, rc);
    return rc;
}

int main(void)
{
    cord_socket pair[2] = { { 0 }, { 0 } };
    ssize_t rc = connected(pair);
    if (rc >= 0)
        rc = without_frames(pair[0], pair[1]);
    if (rc >= 0)
        rc = with_frames(pair[0], pair[1]);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    return cord_report("one_send_one_recv", rc);
}
