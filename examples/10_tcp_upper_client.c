/* The TCP upper-case client: sends each line, without the space around it, and prints the answer.
 * Note S1 lines 88-105 (row 10). Python: connect, input('>>>').strip(), send, recv(1024).decode('utf-8').
 * Run: ./10_tcp_upper_client [ADDRESS [exact]]      default tcp:127.0.0.1:8082
 * As in the note, one recv is taken for one answer, which fails above 1024 bytes. With "exact" it reads as many
 * bytes as it sent, since this server's answers have the length of the question: right for any size.
 * one_send_one_recv.c shows the general cure. */
#include <string.h>

#include <cordage.h>

int main(int argc, char **argv)
{
    char line[32768], data[sizeof line], text[3 * sizeof line + 1];
    bool exact = argc > 2 && strcmp(argv[2], "exact") == 0;
    cord_socket client = { 0 };
    ssize_t rc = cord_connect(&client, argc > 1 ? argv[1] : "tcp:127.0.0.1:8082", NULL, CORD_FOREVER);
    while (rc >= 0 && (rc = cord_input(">>>", line, sizeof line, CORD_FOREVER)) > 0) {
        char *msg = cord_strip(line);
        size_t size = strlen(msg);
        if (size == 0)
            continue;
        rc = cord_send_all(client, msg, size, CORD_FOREVER);
        if (rc >= 0)
            rc =
                exact ? cord_read_exact(client, data, size, CORD_FOREVER) : cord_recv(client, data, 1024, CORD_FOREVER);
        if (rc == 0)
            break; /* the server has gone; the note goes on until it gets EPIPE */
        if (rc > 0)
            rc = cord_decode(text, sizeof text, "utf-8", data, (size_t)rc, CORD_STRICT);
        if (rc >= 0)
            cord_print("%s\n", text);
    }
    cord_close(&client);
    return cord_report("10_tcp_upper_client", rc);
}
