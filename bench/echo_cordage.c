/* bench/echo_cordage.c - the same echo server by cord_serve(); `echo_cordage [KIND]`, CORD_BACKEND as usual.
 * Prints "listening PORT" and serves until it is killed. */
#include <cordage.h>

#include <stdio.h>

static int echo(cord_request *r)
{
    char buffer[16384];
    ssize_t n;
    while ((n = cord_recv(r->socket, buffer, sizeof buffer, CORD_FOREVER)) > 0)
        if ((n = cord_send_all(r->socket, buffer, (size_t)n, CORD_FOREVER)) < 0)
            break;
    return (int)n;
}

static void ready(const cord_address *address, void *state)
{
    (void)state;
    printf("listening %u\n", cord_address_port(address));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    cord_server_options how = { .ready = ready, .quiet = true, .max_connections = 20000 };
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_serve("tcp:127.0.0.1:0", echo, &how);
    return cord_report("echo_cordage", rc);
}
