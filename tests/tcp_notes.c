/* The seven notes on TCP of the second seed (row 51 of docs/mission.md), one test each, in its words. */
#include "netkit.h"

static const char *const hello = "hello";

/* 1: listen makes an active socket a passive one: it can be connected to, and can neither send nor receive. */
MODE_TEST(note_1_listening_socket_is_passive)
{
    char address[CORD_ADDRESS_TEXT], byte;
    cord_socket listener = listen_anywhere(address, "tcp"), client = { 0 };
    int64_t listening = 0;
    ok(cord_option_get(listener, CORD_LISTENING, &listening));
    is(listening, 1);
    is(cord_recv(listener, &byte, 1, soon()), -ENOTCONN);
    is(cord_send(listener, "x", 1, soon()), -EPIPE);
    ok(cord_connect(&client, address, NULL, soon())); /* without any accept: the kernel does it */
    cord_close(&client);
    cord_close(&listener);
}

/* 2: a client connects in TCP; in UDP it just sends. */
MODE_TEST(note_2_tcp_needs_connect_udp_does_not)
{
    char tcp[CORD_ADDRESS_TEXT], udp[CORD_ADDRESS_TEXT];
    cord_socket server = listen_anywhere(udp, "udp"), sender = { 0 }, closed = listen_anywhere(tcp, "tcp");
    cord_address to;
    ok(cord_listen(&sender, "udp:", NULL));
    ok(cord_address_parse(&to, udp));
    is(cord_send_to(sender, hello, 5, &to, soon()), 5);
    received(server, hello);
    cord_close(&closed);
    is(cord_connect(&closed, tcp, NULL, soon()), -ECONNREFUSED); /* nobody there: it is told at once */
    cord_close(&server);
    ok(cord_address_parse(&to, udp));
    is(cord_send_to(sender, hello, 5, &to, soon()), 5); /* nobody there: sent all the same */
    cord_close(&sender);
}

/* 3: accept makes a socket for each client; the listener is only there for new ones. */
MODE_TEST(note_3_accept_makes_a_socket_for_each_client)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), clients[3] = { { 0 } }, servers[3] = { { 0 } };
    for (int i = 0; i < 3; i++) {
        ok(cord_connect(&clients[i], address, NULL, soon()));
        ok(cord_accept(listener, &servers[i], NULL, soon()));
        ck_assert_uint_ne(servers[i].id, listener.id);
        for (int k = 0; k < i; k++)
            ck_assert_uint_ne(servers[i].id, servers[k].id);
    }
    for (int i = 2; i >= 0; i--)
        is(cord_sendf(servers[i], soon(), "to %d", i), 4);
    for (int i = 0; i < 3; i++) {
        char want[] = { 't', 'o', ' ', (char)('0' + i), 0 };
        received(clients[i], want);
        cord_close(&clients[i]);
        cord_close(&servers[i]);
    }
    cord_close(&listener);
}

/* 4: the roles: the server's address is known and fixed, the client's port is the system's choice. */
MODE_TEST(note_4_server_is_known_client_is_anybody)
{
    char address[CORD_ADDRESS_TEXT], text[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), clients[2] = { { 0 } }, servers[2] = { { 0 } };
    cord_address peers[2], local;
    for (int i = 0; i < 2; i++) {
        ok(cord_connect(&clients[i], address, NULL, soon()));
        ok(cord_accept(listener, &servers[i], &peers[i], soon()));
        ok(cord_local(servers[i], &local));
        ck_assert_str_eq(cord_address_text(&local, text, sizeof text), address);
    }
    ck_assert_uint_ne(cord_address_port(&peers[0]), cord_address_port(&peers[1]));
    for (int i = 0; i < 2; i++) {
        cord_close(&clients[i]);
        cord_close(&servers[i]);
    }
    cord_close(&listener);
}

/* 5: closing the listener means that no new client can come; those that are there go on as before. */
MODE_TEST(note_5_closing_the_listener_leaves_clients_working)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), client = { 0 }, server = { 0 }, late = { 0 };
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_accept(listener, &server, NULL, soon()));
    cord_close(&listener);
    is(cord_send_all(client, hello, 5, soon()), 5);
    received(server, hello);
    is(cord_send_all(server, "bye", 3, soon()), 3);
    received(client, "bye");
    is(cord_connect(&late, address, NULL, soon()), -ECONNREFUSED);
    cord_close(&client);
    cord_close(&server);
}

/* 6: closing the socket that accept gave ends that client, and no other. */
MODE_TEST(note_6_closing_an_accepted_socket_ends_that_client_only)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), clients[2] = { { 0 } }, servers[2] = { { 0 } };
    for (int i = 0; i < 2; i++) {
        ok(cord_connect(&clients[i], address, NULL, soon()));
        ok(cord_accept(listener, &servers[i], NULL, soon()));
    }
    cord_close(&servers[0]);
    received(clients[0], "");
    is(cord_send_all(servers[1], hello, 5, soon()), 5);
    received(clients[1], hello);
    cord_close(&clients[0]);
    cord_close(&clients[1]);
    cord_close(&servers[1]);
    cord_close(&listener);
}

/* 7: when one side closes, the other's recv answers 0 bytes: that is how it knows, whichever side it was. */
MODE_TEST(note_7_close_is_0_bytes_at_the_other_side)
{
    for (int closer = 0; closer < 2; closer++) {
        cord_socket pair[2];
        connected_pair(pair);
        cord_close(&pair[closer]);
        received(pair[!closer], "");
        cord_close(&pair[!closer]);
    }
}

int main(void)
{
    return run_tests("tcp_notes", MODE(note_1_listening_socket_is_passive), MODE(note_2_tcp_needs_connect_udp_does_not),
                     MODE(note_3_accept_makes_a_socket_for_each_client), MODE(note_4_server_is_known_client_is_anybody),
                     MODE(note_5_closing_the_listener_leaves_clients_working),
                     MODE(note_6_closing_an_accepted_socket_ends_that_client_only),
                     MODE(note_7_close_is_0_bytes_at_the_other_side), END);
}
