/* The TCP server that speaks GBK, serves one client and ends.
 * Note S2 lines 170-197 (row 16). Python: bind(('', 7788)), listen(128), accept, recv(1024), send, close.
 * Run: ./16_gbk_server [ADDRESS]      default tcp:*:7788; ./15_gbk_client is the other side
 * It can be started again at once; in Python the port is taken for a minute after (TIME_WAIT). */
#include <cordage.h>

int main(int argc, char **argv)
{
    char wire[1024], text[3 * sizeof wire + 1];
    cord_address who;
    cord_socket server = { 0 }, client = { 0 };
    ssize_t rc = cord_listen(&server, argc > 1 ? argv[1] : "tcp:*:7788", &(cord_listen_options){ .backlog = 128 });
    if (rc == 0)
        rc = cord_accept(server, &client, &who, CORD_FOREVER); /* a socket of its own for this client */
    if (rc >= 0)
        rc = cord_recv(client, wire, sizeof wire, CORD_FOREVER); /* 0: the client closed at once; then it prints "" */
    if (rc >= 0)
        rc = cord_decode(text, sizeof text, "gbk", wire, (size_t)rc, CORD_STRICT);
    if (rc >= 0) {
        cord_print("接收到的数据为: %s\n", text);
        if ((rc = cord_encode(wire, sizeof wire, "gbk", "thank you !", 11, CORD_STRICT)) >= 0)
            rc = cord_send_all(client, wire, (size_t)rc, CORD_FOREVER);
    }
    cord_close(&client);
    cord_close(&server);
    return cord_report("16_gbk_server", rc);
}
