/* Datagrams, over udp and unix: sizes, borders, senders, what is cut off, and who is not there. */
#include "netkit.h"

#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const carriers[] = { "udp", "unixgram" };
#define EACH_CARRIER(name) for (const char *const *name = carriers; name < carriers + 2; name++)

MODE_TEST(datagram_of_each_size_arrives_whole)
{
    static const size_t sizes[] = { 0, 1, 1024, 1025, 9000, 65507 };
    EACH_CARRIER(carrier)
    {
        char address[CORD_ADDRESS_TEXT], *sent = malloc(65508), *got = malloc(65508);
        cord_socket server = listen_anywhere(address, *carrier), client = { 0 };
        ok(cord_connect(&client, address, NULL, soon()));
        for (size_t i = 0; i < 65508; i++)
            sent[i] = (char)(i * 31 >> 3);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            cord_address from;
            int flags = 0;
            is(cord_send(client, sent, sizes[i], soon()), (ssize_t)sizes[i]);
            is(cord_recv_from(server, got, 65508, &from, &flags, soon()), (ssize_t)sizes[i]);
            is(flags, 0);
            ck_assert(memcmp(sent, got, sizes[i]) == 0);
            is(cord_send_to(server, got, sizes[i], &from, soon()), (ssize_t)sizes[i]); /* and back again */
            is(cord_recv(client, got, 65508, soon()), (ssize_t)sizes[i]);
        }
        free(sent);
        free(got);
        cord_close(&client);
        cord_close(&server);
    }
}

MODE_TEST(datagram_of_65508_bytes_emsgsize)
{
    char address[CORD_ADDRESS_TEXT], *block = calloc(1, 65508);
    cord_socket server = listen_anywhere(address, "udp"), client = { 0 };
    cord_address to;
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_peer(client, &to));
    is(cord_send(client, block, 65508, soon()), -EMSGSIZE);
    sentence_has("at most 65507 bytes");
    is(cord_send_all(client, block, 65508, soon()), -EMSGSIZE);
    is(cord_send_to(server, block, 65508, &to, soon()), -EMSGSIZE);
    is(cord_recv(server, block, 1, CORD_NOWAIT), -EAGAIN);
    free(block);
    cord_close(&client);
    cord_close(&server);
}

MODE_TEST(datagram_too_long_is_cut_and_told)
{
    EACH_CARRIER(carrier)
    {
        char address[CORD_ADDRESS_TEXT], buf[8] = "";
        int flags = 0;
        cord_socket server = listen_anywhere(address, *carrier), client = { 0 };
        ok(cord_connect(&client, address, NULL, soon()));
        is(cord_send(client, "0123456789", 10, soon()), 10);
        is(cord_send(client, "next", 4, soon()), 4);
        flags = CORD_PEEK;
        is(cord_recv_from(server, buf, 4, NULL, &flags, soon()), 4);
        is(flags, CORD_TRUNCATED);
        flags = 0;
        is(cord_recv_from(server, buf, 4, NULL, &flags, soon()), 4);
        is(flags, CORD_TRUNCATED);
        ck_assert(memcmp(buf, "0123", 4) == 0);
        received(server, "next"); /* the rest is gone */
        is(cord_send(client, "abcd", 4, soon()), 4);
        is(cord_recv_from(server, buf, 4, NULL, &flags, soon()), 4);
        is(flags, 0);
        cord_close(&client);
        cord_close(&server);
    }
}

/* Row 53: two sends are two receives, also when both wait; an empty one is a message. */
MODE_TEST(datagrams_keep_their_borders)
{
    EACH_CARRIER(carrier)
    {
        char address[CORD_ADDRESS_TEXT], buf[64];
        cord_socket server = listen_anywhere(address, *carrier), client = { 0 };
        ok(cord_connect(&client, address, NULL, soon()));
        is(cord_send_all(client, "one", 3, soon()), 3);
        is(cord_send_all(client, "", 0, soon()), 0);
        is(cord_sendf(client, soon(), "%s", "two"), 3);
        is(cord_send_vector(client, (struct iovec[]){ { "th", 2 }, { "ree", 3 } }, 2, soon()), 5);
        received(server, "one");
        received(server, "");
        received(server, "two");
        received(server, "three");
        is(cord_recv(server, buf, sizeof buf, CORD_NOWAIT), -EAGAIN);
        cord_close(&client);
        cord_close(&server);
    }
}

MODE_TEST(one_server_answers_each_sender)
{
    EACH_CARRIER(carrier)
    {
        char address[CORD_ADDRESS_TEXT], buf[8];
        cord_socket server = listen_anywhere(address, *carrier), clients[3] = { { 0 } };
        cord_address from[3], local;
        for (int i = 0; i < 3; i++) {
            ok(cord_connect(&clients[i], address, NULL, soon()));
            is(cord_sendf(clients[i], soon(), "%d", i), 1);
            is(cord_recv_from(server, buf, sizeof buf, &from[i], NULL, soon()), 1);
            ok(cord_local(clients[i], &local));
            ck_assert(cord_address_equal(&local, &from[i]));
        }
        for (int i = 2; i >= 0; i--)
            is(cord_send_to(server, &(char){ (char)('a' + i) }, 1, &from[i], soon()), 1);
        for (int i = 0; i < 3; i++) {
            received(clients[i], (char[]){ (char)('a' + i), 0 });
            cord_close(&clients[i]);
        }
        cord_close(&server);
    }
}

/* Row 4: a server cannot speak before it was spoken to. */
MODE_TEST(send_without_peer_edestaddrreq)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket server = listen_anywhere(address, "udp");
    cord_address peer;
    is(cord_send(server, "x", 1, soon()), -EDESTADDRREQ);
    sentence_has("no peer yet");
    is(cord_peer(server, &peer), -ENOTCONN);
    cord_close(&server);
}

MODE_TEST(udp_alone_is_a_socket_on_a_port_of_its_own)
{
    char address[CORD_ADDRESS_TEXT], buf[8];
    cord_socket server = listen_anywhere(address, "udp"), client = { 0 };
    cord_address local, to, from;
    ok(cord_listen(&client, "udp:", NULL));
    ok(cord_local(client, &local));
    ck_assert_uint_ne(cord_address_port(&local), 0);
    ok(cord_address_parse(&to, address));
    is(cord_send_to(client, "hi", 2, &to, soon()), 2);
    is(cord_recv_from(server, buf, sizeof buf, &from, NULL, soon()), 2);
    is(cord_address_port(&from), cord_address_port(&local));
    cord_close(&client);
    cord_close(&server);
}

MODE_TEST(udp_second_listener_eaddrinuse)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket server = listen_anywhere(address, "udp"), second = { 0 };
    is(cord_listen(&second, address, NULL), -EADDRINUSE);
    sentence_has("port 0 picks a free one");
    cord_close(&server);
}

/* A connected one hears from the kernel that nobody is there; an unconnected one never does (Python too). */
MODE_TEST(udp_nobody_there_econnrefused_when_connected)
{
    char address[CORD_ADDRESS_TEXT], byte;
    cord_socket server = listen_anywhere(address, "udp"), client = { 0 }, loose = { 0 };
    cord_address to;
    ok(cord_address_parse(&to, address));
    cord_close(&server);
    ok(cord_connect(&client, address, NULL, soon()));
    is(cord_send(client, "x", 1, soon()), 1);
    is(cord_recv(client, &byte, 1, soon()), -ECONNREFUSED);
    sentence_has(address);
    is(cord_recv(client, &byte, 1, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT); /* it is told once */
    ok(cord_listen(&loose, "udp:", NULL));
    is(cord_send_to(loose, "x", 1, &to, soon()), 1);
    is(cord_recv(loose, &byte, 1, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
    cord_close(&client);
    cord_close(&loose);
}

MODE_TEST(unixgram_full_queue_waits_and_times_out)
{
    char address[CORD_ADDRESS_TEXT], buf[8];
    cord_socket server = listen_anywhere(address, "unixgram"), sender = { 0 }, client = { 0 };
    cord_address to;
    char own[CORD_ADDRESS_TEXT];
    ok(cord_address_parse(&to, address));
    cord_close(&sender);
    sender = listen_anywhere(own, "unixgram");
    ssize_t rc;
    while ((rc = cord_send_to(sender, "x", 1, &to, CORD_NOWAIT)) == 1)
        ;
    is(rc, -EAGAIN);
    is(cord_send_to(sender, "x", 1, &to, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
    ok(cord_connect(&client, address, NULL, soon()));
    is(cord_send(client, "y", 1, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
    is(cord_recv(server, buf, sizeof buf, soon()), 1);
    is(cord_send(client, "y", 1, soon()), 1);
    cord_close(&client);
    cord_close(&sender);
    cord_close(&server);
}

MODE_TEST(unixgram_stale_path_is_replaced)
{
    char address[CORD_ADDRESS_TEXT];
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf(name.sun_path, sizeof name.sun_path, "%s/stale", temp_dir());
    snprintf(address, sizeof address, "unixgram:%s", name.sun_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd);
    cord_socket server = { 0 }, second = { 0 };
    ok(cord_listen(&server, address, NULL));
    is(cord_listen(&second, address, NULL), -EADDRINUSE);
    cord_close(&server);
    ck_assert_int_ne(access(name.sun_path, F_OK), 0);
}

MODE_TEST(unixgram_client_with_a_path_of_its_own)
{
    char address[CORD_ADDRESS_TEXT], own[CORD_ADDRESS_TEXT], buf[8];
    cord_socket server = listen_anywhere(address, "unixgram"), client = { 0 }, second = { 0 };
    cord_address from;
    snprintf(own, sizeof own, "unixgram:%s/client", temp_dir());
    const cord_connect_options how = { .local = own };
    for (int round = 0; round < 2; round++) {
        ok(cord_connect(&client, address, &how, soon()));
        is(cord_connect(&second, address, &how, soon()), -EADDRINUSE);
        sentence_has(own);
        is(cord_send(client, "hi", 2, soon()), 2);
        is(cord_recv_from(server, buf, sizeof buf, &from, NULL, soon()), 2);
        char text[CORD_ADDRESS_TEXT];
        ck_assert_str_eq(cord_address_text(&from, text, sizeof text), own);
        is(cord_send_to(server, "ho", 2, &from, soon()), 2);
        received(client, "ho");
        cord_close(&client);
        ck_assert_int_ne(access(strchr(own, ':') + 1, F_OK), 0);
    }
    cord_close(&server);
}

static int answer_upper(void *arg)
{
    cord_socket server = *(cord_socket *)arg;
    char buf[64];
    cord_address from;
    ssize_t n = cord_recv_from(server, buf, sizeof buf, &from, NULL, soon());
    if (n > 0) {
        cord_upper(buf, (size_t)n);
        n = cord_send_to(server, buf, (size_t)n, &from, soon());
    }
    return (int)n;
}

MODE_TEST(datagrams_between_two_tasks)
{
    EACH_CARRIER(carrier)
    {
        char address[CORD_ADDRESS_TEXT];
        cord_socket server = listen_anywhere(address, *carrier), client = { 0 };
        cord_task *task = start(answer_upper, &server, sizeof server);
        ok(cord_connect(&client, address, NULL, soon()));
        is(cord_send(client, "hello", 5, soon()), 5);
        received(client, "HELLO");
        join(task, 5);
        cord_close(&client);
        cord_close(&server);
    }
}

static int recv_from_it(void *arg)
{
    char byte;
    return (int)cord_recv_from(*(cord_socket *)arg, &byte, 1, NULL, NULL, soon());
}

MODE_TEST(datagram_wait_ends_by_cancel_or_close)
{
    EACH_CARRIER(carrier)
    {
        char address[CORD_ADDRESS_TEXT];
        cord_socket server = listen_anywhere(address, *carrier);
        cord_task *task = start(recv_from_it, &server, sizeof server);
        let_it_begin();
        cord_task_cancel(task);
        join(task, -ECANCELED);
        task = start_beside(recv_from_it, &server, sizeof server);
        until_busy(server, CORDI_READ);
        cord_close(&server);
        join(task, -EBADF);
    }
}

int main(void)
{
    return run_tests("udp", MODE(datagram_of_each_size_arrives_whole), MODE(datagram_of_65508_bytes_emsgsize),
                     MODE(datagram_too_long_is_cut_and_told), MODE(datagrams_keep_their_borders),
                     MODE(one_server_answers_each_sender), MODE(send_without_peer_edestaddrreq),
                     MODE(udp_alone_is_a_socket_on_a_port_of_its_own), MODE(udp_second_listener_eaddrinuse),
                     MODE(udp_nobody_there_econnrefused_when_connected), MODE(unixgram_full_queue_waits_and_times_out),
                     MODE(unixgram_stale_path_is_replaced), MODE(unixgram_client_with_a_path_of_its_own),
                     MODE(datagrams_between_two_tasks), MODE(datagram_wait_ends_by_cancel_or_close), END);
}
