/* The UDP upper-case server: prints each datagram and sends it back with a-z as A-Z; all other bytes stay.
 * Note S1 lines 9-24 (row 7). Python: bind, recvfrom(1024), data.upper(), sendto.
 * Run: ./07_udp_upper_server [ADDRESS]      default udp:127.0.0.1:8080; ./08_udp_upper_client is the other side
 * Bytes that are not UTF-8, which kill the note, are shown as U+FFFD. */
#include <stdio.h>

#include <cordage.h>

int main(int argc, char **argv)
{
    char data[1024], text[3 * sizeof data + 1];
    cord_address from;
    cord_socket server = { 0 };
    ssize_t rc = cord_listen(&server, argc > 1 ? argv[1] : "udp:127.0.0.1:8080", NULL);
    while (rc >= 0) {
        int flags = 0;
        rc = cord_recv_from(server, data, sizeof data, &from, &flags, CORD_FOREVER);
        if (rc < 0)
            break;
        if (flags & CORD_TRUNCATED)
            fprintf(stderr, "%s: longer than 1024 bytes; cut\n", cord_address_text(&from, text, sizeof text));
        size_t size = (size_t)rc;
        rc = cord_decode(text, sizeof text, "utf-8", data, size, CORD_REPLACE);
        if (rc >= 0)
            cord_print(">>>> %s\n", text);
        cord_upper(data, size);
        rc = cord_send_to(server, data, size, &from, CORD_FOREVER);
    }
    cord_close(&server);
    return cord_report("07_udp_upper_server", rc);
}
