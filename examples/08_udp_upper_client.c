/* The UDP upper-case client: sends each line, without the space around it, and prints the answer's bytes.
 * Note S1 lines 30-46 (row 8). Python: input('>>>').strip(), sendto, print(recvfrom(1024)[0]).
 * Run: ./08_udp_upper_client [ADDRESS]      default udp:127.0.0.1:8080; ./07_udp_upper_server is the other side
 * A line of nothing but space is passed over. The socket is connected: when nobody listens there it says so, where
 * the note waits for ever. */
#include <string.h>

#include <cordage.h>

int main(int argc, char **argv)
{
    char line[4096], data[1024], shown[4 * sizeof data + 4];
    cord_socket client = { 0 };
    ssize_t rc = cord_connect(&client, argc > 1 ? argv[1] : "udp:127.0.0.1:8080", NULL, CORD_FOREVER);
    while (rc >= 0 && (rc = cord_input(">>>", line, sizeof line, CORD_FOREVER)) > 0) {
        char *msg = cord_strip(line);
        if (*msg == '\0')
            continue;
        rc = cord_send(client, msg, strlen(msg), CORD_FOREVER);
        if (rc >= 0)
            rc = cord_recv(client, data, sizeof data, CORD_FOREVER);
        if (rc >= 0 && cord_repr_bytes(shown, sizeof shown, data, (size_t)rc) >= 0)
            cord_print("%s\n", shown);
    }
    cord_close(&client);
    return cord_report("08_udp_upper_client", rc);
}
