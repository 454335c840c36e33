/* The echo server: what a client sends comes back, in whichever kind the first argument names.
 * Theme: socketserver. Python: ThreadingTCPServer(("127.0.0.1", 9000), Handler).serve_forever().
 * Run: ./echo [coroutine|thread|process|serial]      and talk to it: nc 127.0.0.1 9000 */
#include <cordage.h>

static int echo(cord_request *r) /* runs once for each connection */
{
    char buf[4096];
    ssize_t n;
    while ((n = cord_recv(r->socket, buf, sizeof buf, CORD_FOREVER)) > 0)
        if ((n = cord_send_all(r->socket, buf, (size_t)n, CORD_FOREVER)) < 0)
            break;
    return (int)n; /* 0: the peer has finished */
}

int main(int argc, char **argv)
{
    cord_server_options how = { .kind = CORD_COROUTINE };
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_serve("tcp:127.0.0.1:9000", echo, &how);
    return cord_report("echo", rc); /* says what failed and why; gives the exit code */
}
