/* Receives one datagram on every interface, prints its GBK text, and ends.
 * Note S2 lines 91-109 (row 14). Python: bind(('', 7788)), recvfrom(1024), recv_data[0].decode('gbk').
 * Run: ./14_gbk_receiver [ADDRESS]      default udp:*:7788; then: cordage send udp:127.0.0.1:7788 --encoding gbk 你好
 * Bytes that are not GBK end it with Python's sentence and exit code 1. UTF-8 read as GBK is mojibake, no error. */
#include <cordage.h>

int main(int argc, char **argv)
{
    char data[1024], text[3 * sizeof data + 1];
    cord_address from; /* recv_data[1]: who sent it */
    cord_socket sk = { 0 };
    ssize_t rc = cord_listen(&sk, argc > 1 ? argv[1] : "udp:*:7788", NULL);
    if (rc == 0)
        rc = cord_recv_from(sk, data, sizeof data, &from, NULL, CORD_FOREVER);
    if (rc >= 0)
        rc = cord_decode(text, sizeof text, "gbk", data, (size_t)rc, CORD_STRICT);
    if (rc >= 0)
        cord_print("%s\n", text);
    cord_close(&sk);
    return cord_report("14_gbk_receiver", rc);
}
