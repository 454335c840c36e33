/* bench/idle_connections.c - a server of connections that say nothing: each has a coroutine, parked in recv, with 256
 * bytes of buffer of its own. `idle_connections`, CORD_BACKEND as usual; prints "listening PORT". Whoever measures
 * reads how its memory grows with the connections. */
#include <cordage.h>

#include <stdio.h>

static int echo(cord_request *r)
{
    char buffer[256];
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

int main(void)
{
    cord_server_options how = { .ready = ready, .quiet = true, .max_connections = 20000 };
    return cord_report("idle_connections", cord_serve("tcp:127.0.0.1:0", echo, &how));
}
