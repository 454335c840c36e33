/* tests/server_notes.c - the seven notes on TCP (row 51 of docs/mission.md; tests/tcp_notes.c has them of bare sockets)
 * as what one sees of a running server, in every kind. */
#include "serving.h"

#include <cordage/option.h>

/* 1: listen makes a passive socket: the server's own end of "listening" never carries bytes, connections do. A client
 * is connected before anybody accepts it: here while the only request that is allowed is under way. */
KIND_TEST(note_1_clients_connect_before_they_are_accepted)
{
    struct served served = serve("tcp:127.0.0.1:0", echo, &(cord_server_options){ .max_connections = 1 });
    cord_socket first = dial(served.address);
    say(first, "one");
    hears(first, "one");
    cord_socket second = dial(served.address); /* the kernel does it */
    say(second, "two");
    is((long)counts(&served).accepted, 1);
    hang_up(&first);
    hears(second, "two");
    hang_up(&second);
    stop(&served);
}

/* 2: a TCP client has to connect, a UDP client just sends. */
static int answer_both(cord_request *request)
{
    if (!request->data)
        return echo(request);
    ssize_t n = cord_reply(request, request->data, request->size);
    return n < 0 ? (int)n : 0;
}

KIND_TEST(note_2_tcp_needs_connect_udp_does_not)
{
    const char *const more[] = { "udp:127.0.0.1:0", NULL };
    struct served served = serve("tcp:127.0.0.1:0", answer_both, &(cord_server_options){ .addresses = more });
    cord_socket sender = { 0 };
    cord_address udp, from;
    char buf[16];
    ok(cord_server_address(served.server, 1, &udp));
    ok(cord_listen(&sender, "udp:127.0.0.1:0", NULL));
    is(cord_send_to(sender, "hello", 5, &udp, soon()), 5);
    is(cord_recv_from(sender, buf, sizeof buf, &from, NULL, soon()), 5);
    ck_assert(cord_address_equal(&from, &udp));
    cord_close(&sender);
    echo_once(served.address);
    stop(&served);
}

/* 3: accept makes a socket for each client: each hears only its own. 4: the server's address is known, a client's port
 * is the system's choice. */
static int tell_ends(cord_request *request)
{
    char local[CORD_ADDRESS_TEXT], peer[CORD_ADDRESS_TEXT], byte;
    cord_address here;
    int rc = cord_local(request->socket, &here);
    if (rc < 0)
        return rc;
    ssize_t n = cord_sendf(request->socket, CORD_FOREVER, "%s %s\n", cord_address_text(&here, local, sizeof local),
                           cord_address_text(&request->peer, peer, sizeof peer));
    return n < 0 ? (int)n : (int)cord_recv(request->socket, &byte, 1, CORD_FOREVER);
}

KIND_TEST(note_3_and_4_each_client_has_its_own_socket_and_port)
{
    struct served served = serve("tcp:127.0.0.1:0", tell_ends, NULL);
    int clients = kind == CORD_SERIAL ? 1 : 3;
    cord_socket sockets[3];
    for (int i = 0; i < clients; i++)
        sockets[i] = dial(served.address);
    for (int i = clients; i-- > 0;) {
        char line[400], wanted[400], mine[CORD_ADDRESS_TEXT];
        cord_address local;
        ok(cord_read_line(sockets[i], line, sizeof line, soon()));
        ok(cord_local(sockets[i], &local));
        snprintf(wanted, sizeof wanted, "%s %s", served.address, cord_address_text(&local, mine, sizeof mine));
        ck_assert_str_eq(line, wanted);
    }
    for (int i = 0; i < clients; i++)
        hang_up(&sockets[i]);
    stop(&served);
}

/* 5: closing the listener leaves those who are connected working. A serial server is in its handler, and closes it
 * afterwards. */
LOOP_KINDS_TEST(note_5_closing_the_listener_leaves_clients_working)
{
    struct served served = serve("tcp:127.0.0.1:0", echo, NULL);
    cord_socket socket = dial(served.address);
    say(socket, "before");
    hears(socket, "before");
    is(cord_server_stop(served.server, CORD_HOUR), 0);
    eventually(is_refused, served.address);
    say(socket, "after");
    hears(socket, "after");
    hang_up(&socket);
    finish(&served, 0);
}

/* 6: closing an accepted socket ends that client, and no other. */
static int leave_on_request(cord_request *request)
{
    char byte;
    ssize_t n;
    while ((n = cord_recv(request->socket, &byte, 1, CORD_FOREVER)) == 1 && byte != 'q')
        if ((n = cord_send_all(request->socket, &byte, 1, CORD_FOREVER)) < 0)
            break;
    if (n == 1 && byte == 'q')
        cord_close(&request->socket); /* as the notes do; the server would do it too */
    return n < 0 ? (int)n : 0;
}

LOOP_KINDS_TEST(note_6_closing_an_accepted_socket_ends_that_client_only)
{
    struct served served = serve("tcp:127.0.0.1:0", leave_on_request, NULL);
    cord_socket first = dial(served.address), second = dial(served.address);
    say(first, "a");
    hears(first, "a");
    say(second, "b");
    hears(second, "b");
    say(first, "q");
    hears_end(first);
    say(second, "c");
    hears(second, "c");
    hang_up(&first);
    hang_up(&second);
    stop(&served);
    is(log_lines, 0);
}

/* 7: when one side closes, the other's recv answers 0 bytes, whichever side it was. */
static int note_end(cord_request *request)
{
    struct seen *seen = request->state;
    char byte;
    ssize_t n = cord_recv(request->socket, &byte, 1, CORD_FOREVER);
    if (n == 0) /* the client was first */
        note(seen, 1);
    return n < 0 ? (int)n : 0; /* else the server is */
}

static bool noted(void *seen)
{
    return atomic_load(&((struct seen *)seen)->count) == 1;
}

KIND_TEST(note_7_close_is_0_bytes_at_the_other_side)
{
    struct seen *seen = new_seen();
    struct served served = serve("tcp:127.0.0.1:0", note_end, &(cord_server_options){ .state = seen });
    cord_socket socket = dial(served.address);
    say(socket, "x");
    hears_end(socket);
    hang_up(&socket);
    socket = dial(served.address);
    hang_up(&socket);
    eventually(noted, seen);
    stop(&served);
    free_seen(seen);
}

int main(void)
{
    return run_tests("server_notes", KINDS(note_1_clients_connect_before_they_are_accepted),
                     KINDS(note_2_tcp_needs_connect_udp_does_not),
                     KINDS(note_3_and_4_each_client_has_its_own_socket_and_port),
                     PARALLEL(note_5_closing_the_listener_leaves_clients_working),
                     PARALLEL(note_6_closing_an_accepted_socket_ends_that_client_only),
                     KINDS(note_7_close_is_0_bytes_at_the_other_side), END);
}
