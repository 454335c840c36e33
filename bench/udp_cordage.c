/* bench/udp_cordage.c - the same UDP echo by cordage: `udp_cordage [many|trains|one|server] [KIND]`, CORD_BACKEND as
 * usual. many: cord_recv_many and cord_send_many, 64 at a time; trains: the same with whole trains; one: cord_recv_from
 * and cord_send_to; server: cord_serve with a handler for each datagram, run in KIND.
 * Prints "listening PORT" and serves until it is killed. */
#include <cordage.h>

#include <stdio.h>
#include <string.h>

enum { BATCH = 64, MOST = 65536 };

static char buffers[BATCH][MOST];
static cord_datagram list[BATCH];

static void ready(const cord_address *address, void *state)
{
    (void)state;
    printf("listening %u\n", cord_address_port(address));
    fflush(stdout);
}

static int handle(cord_request *r)
{
    return (int)cord_reply(r, r->data, r->size);
}

static int open_socket(cord_socket *ret, bool trains)
{
    cord_address local;
    int rc = cord_listen(ret, "udp:127.0.0.1:0", &(cord_listen_options){ .trains = trains });
    if (rc == 0)
        rc = cord_option_set(*ret, CORD_RECV_BUFFER, 4 << 20);
    if (rc == 0)
        rc = cord_local(*ret, &local);
    if (rc == 0)
        ready(&local, NULL);
    return rc;
}

static int echo_many(void *arg)
{
    cord_socket socket;
    int rc = open_socket(&socket, *(bool *)arg);
    for (int i = 0; i < BATCH; i++)
        list[i] = (cord_datagram){ .data = buffers[i], .room = MOST };
    while (rc >= 0 && (rc = cord_recv_many(socket, list, BATCH, CORD_FOREVER)) >= 0)
        rc = cord_send_many(socket, list, (size_t)rc, CORD_FOREVER);
    return rc;
}

static int echo_one(void *arg)
{
    cord_socket socket;
    cord_address from;
    ssize_t rc = open_socket(&socket, *(bool *)arg);
    while (rc >= 0 && (rc = cord_recv_from(socket, buffers[0], MOST, &from, NULL, CORD_FOREVER)) >= 0)
        rc = cord_send_to(socket, buffers[0], (size_t)rc, &from, CORD_FOREVER);
    return (int)rc;
}

int main(int argc, char **argv)
{
    const char *way = argc > 1 ? argv[1] : "many";
    cord_server_options how = { .ready = ready, .quiet = true };
    bool trains = strcmp(way, "trains") == 0;
    int rc = argc > 2 ? cord_kind_parse(&how.kind, argv[2]) : 0;
    if (rc == 0 && strcmp(way, "server") == 0)
        rc = cord_serve("udp:127.0.0.1:0", handle, &how);
    else if (rc == 0)
        rc = cord_run(strcmp(way, "one") == 0 ? echo_one : echo_many, &trains, NULL);
    return cord_report("udp_cordage", rc);
}
