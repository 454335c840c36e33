/* The hello/bye client: prints each hello and answers bye, as fast as both can.
 * Notes S0 lines 18-20 and S3 lines 70-77 (row 6). Python: connect, print(sk.recv(1024)), sk.send(b'bye').
 * Run: ./06_hello_client [ADDRESS [ROUNDS]]      default tcp:127.0.0.1:9090, for ever
 * When the server goes away it stops; the note then prints b'' without end. */
#include <stdlib.h>

#include <cordage.h>

int main(int argc, char **argv)
{
    char got[1024], shown[4 * sizeof got + 4];
    long rounds = argc > 2 ? atol(argv[2]) : -1;
    cord_socket sk = { 0 };
    ssize_t rc = cord_connect(&sk, argc > 1 ? argv[1] : "tcp:127.0.0.1:9090", NULL, CORD_FOREVER);
    while (rc >= 0 && rounds-- != 0 && (rc = cord_recv(sk, got, sizeof got, CORD_FOREVER)) > 0) {
        cord_repr_bytes(shown, sizeof shown, got, (size_t)rc);
        cord_print("%s\n", shown);
        rc = cord_send_all(sk, "bye", 3, CORD_FOREVER);
    }
    cord_close(&sk);
    return cord_report("06_hello_client", rc);
}
