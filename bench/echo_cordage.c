/* bench/echo_cordage.c - the same echo server by cord_serve(); `echo_cordage [KIND [LOOPS [SPIN]]]`, SPIN as 50us,
 * CORD_BACKEND as usual.
 * Prints "listening PORT" and serves until it is killed. */
#include <cordage.h>

#include <stdio.h>
#include <stdlib.h>

/* A buffer is larger than a message, so that a read that took all there was is seen to have done so. */
static __attribute__((noinline)) ssize_t echo_large(cord_request *r)
{
    char buffer[16384 + 64];
    ssize_t n;
    while ((n = cord_recv(r->socket, buffer, sizeof buffer, CORD_FOREVER)) > 0)
        if ((n = cord_send_all(r->socket, buffer, (size_t)n, CORD_FOREVER)) < 0)
            break;
    return n;
}

/* Begins with the buffer of the notes' servers: all that a small message needs is then in one page of the stack. */
static int echo(cord_request *r)
{
    char buffer[1024];
    ssize_t n;
    while ((n = cord_recv(r->socket, buffer, sizeof buffer, CORD_FOREVER)) > 0) {
        bool full = n == sizeof buffer;
        n = cord_send_all(r->socket, buffer, (size_t)n, CORD_FOREVER);
        if (n >= 0 && full)
            n = echo_large(r);
        if (n <= 0)
            break;
    }
    return (int)n;
}

static void ready(const cord_address *address, void *state)
{
    (void)state;
    printf("listening %u\n", cord_address_port(address));
    fflush(stdout);
}

static int serve(void *how)
{
    return cord_serve("tcp:127.0.0.1:0", echo, how);
}

int main(int argc, char **argv)
{
    cord_server_options how = { .ready = ready, .quiet = true, .max_connections = 20000 };
    cord_run_options loops = { .loops = argc > 2 ? (uint32_t)atoi(argv[2]) : 1 };
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    if (rc == 0 && argc > 3)
        rc = cord_span_parse(&loops.spin, argv[3]);
    if (rc == 0)
        rc = cord_run(serve, &how, &loops);
    return cord_report("echo_cordage", rc);
}
