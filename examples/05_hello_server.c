/* The hello/bye server: to each client it says hello, prints what comes back, and again; many clients at once.
 * Notes S0 lines 14-16 and S3 lines 54-66 (row 5). Python: ThreadingTCPServer, BaseRequestHandler.handle.
 * Run: ./05_hello_server [KIND [ADDRESS]]      default thread tcp:127.0.0.1:9090; ./06_hello_client is the other side
 * A client that is killed costs only its own connection: the handler's answer is logged with the peer. */
#include <cordage.h>

static int hello(cord_request *r)
{
    char got[1024], shown[4 * sizeof got + 4];
    for (;;) {
        ssize_t n = cord_send_all(r->socket, "hello", 5, CORD_FOREVER);
        if (n >= 0)
            n = cord_recv(r->socket, got, sizeof got, CORD_FOREVER);
        if (n <= 0)
            return (int)n; /* 0: the client has finished; the note goes on until it gets EPIPE */
        cord_repr_bytes(shown, sizeof shown, got, (size_t)n);
        cord_print("%s %u\n", shown, cord_address_port(&r->peer));
    }
}

int main(int argc, char **argv)
{
    cord_server_options how = { .kind = CORD_THREAD };
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_serve(argc > 2 ? argv[2] : "tcp:127.0.0.1:9090", hello, &how);
    return cord_report("05_hello_server", rc);
}
