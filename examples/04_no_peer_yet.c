/* A UDP server cannot speak first: nobody is there until a datagram has come. What happens when it tries.
 * Note S3 line 33, "不能先发信息" (row 4). Python: sk.send on a bound socket gives OSError 89, EDESTADDRREQ.
 * Run: ./04_no_peer_yet [ADDRESS]      default udp:127.0.0.1:9090; then: echo hi | nc -u -w1 127.0.0.1 9090 */
#include <errno.h>

#include <cordage.h>

int main(int argc, char **argv)
{
    char hello[1024];
    cord_address client;
    cord_socket sk = { 0 };
    ssize_t rc = cord_listen(&sk, argc > 1 ? argv[1] : "udp:127.0.0.1:9090", NULL);
    if (rc == 0)
        rc = cord_send(sk, "hello?", 6, CORD_FOREVER);
    if (rc == -EDESTADDRREQ) { /* defined, and nothing is broken: the socket goes on */
        cord_print("no peer yet: %s\n", cord_error_detail());
        rc = cord_recv_from(sk, hello, sizeof hello, &client, NULL, CORD_FOREVER);
    }
    if (rc >= 0)
        rc = cord_send_to(sk, "now I know you\n", 15, &client, CORD_FOREVER);
    if (rc >= 0)
        cord_print("answered\n");
    cord_close(&sk);
    return cord_report("04_no_peer_yet", rc);
}
