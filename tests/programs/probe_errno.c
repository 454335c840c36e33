/* Makes the calls of the table below, one line "ROW ANSWER" each, for tests/interop/probe_errno.py, which makes the
 * same calls with Python's socket module and compares. A failure is the name of its errno. argv[1]: the kind of task,
 * argv[2]: a directory for UNIX paths. */
#include <cordage.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char *directory;

static cord_deadline soon(void)
{
    return cord_in(5 * CORD_SECOND);
}

/* What the rows need; a failure here ends the program. */
static void need(int rc)
{
    if (rc < 0)
        exit(cord_report("probe_errno", rc) + 1);
}

static cord_socket listener(const char *transport, char *address)
{
    cord_socket ret;
    cord_address local;
    snprintf(address, CORD_ADDRESS_TEXT, "%s:127.0.0.1:0", transport);
    need(cord_listen(&ret, address, NULL));
    need(cord_local(ret, &local));
    cord_address_text(&local, address, CORD_ADDRESS_TEXT);
    return ret;
}

static void pair(cord_socket ret[2])
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket from = listener("tcp", address);
    need(cord_connect(&ret[0], address, NULL, soon()));
    need(cord_accept(from, &ret[1], NULL, soon()));
    cord_close(&from);
}

static void print(const char *row, long answer)
{
    const char *name = answer == CORD_EADDRESS ? "EADDRESS" : answer == CORD_ERESOLVE ? "ERESOLVE" : NULL;
    if (name == NULL && answer < 0)
        name = strerrorname_np((int)-answer);
    if (name != NULL)
        printf("%s %s\n", row, name);
    else
        printf("%s %ld\n", row, answer);
}

static void addresses(void)
{
    cord_socket s = { 0 }, live;
    char address[CORD_ADDRESS_TEXT], at_path[CORD_ADDRESS_TEXT], longer[200];
    print("30.connect_port_65536", cord_connect(&s, "tcp:127.0.0.1:65536", NULL, soon()));
    print("30.connect_unknown_name", cord_connect(&s, "tcp:no-such-host.invalid:80", NULL, cord_in(15 * CORD_SECOND)));
    snprintf(longer, sizeof longer, "unix:/%0107d", 0);
    print("32.unix_path_of_108_bytes", cord_listen(&s, longer, NULL));
    snprintf(at_path, sizeof at_path, "unix:%s/s", directory);
    print("32.unix_connect_no_file", cord_connect(&s, at_path, NULL, soon()));
    need(cord_listen(&live, at_path, NULL));
    print("32.unix_bind_twice", cord_listen(&s, at_path, NULL));
    print("32.unix_connect", cord_connect(&s, at_path, NULL, soon()));
    cord_close(&s);
    cord_close(&live);
    live = listener("tcp", address);
    print("35.bind_twice", cord_listen(&s, address, NULL));
    print("35.bind_foreign_address", cord_listen(&s, "tcp:192.0.2.1:0", NULL));
    cord_address local;
    need(cord_local(live, &local));
    print("35.bind_port_0_is_some_port", cord_address_port(&local) != 0);
    cord_close(&live);
    print("38.connect_nobody_listens", cord_connect(&s, address, NULL, soon()));
    print("39.connect_ex_nobody_listens", -cord_connect(&s, address, NULL, soon()));
    print("31.ipv6_listen", cord_listen(&s, "tcp:[::1]:0", NULL));
    cord_close(&s);
}

static void closed_sockets(void)
{
    cord_socket p[2], old, s = { 0 };
    char byte;
    cord_address address;
    pair(p);
    print("49.fileno_is_positive", cord_fileno(p[0]) > 2);
    old = p[0];
    cord_close(&p[0]);
    cord_close(&p[0]);
    print("34.fileno_after_close", cord_fileno(old));
    print("34.recv_after_close", cord_recv(old, &byte, 1, soon()));
    print("34.send_after_close", cord_send(old, "x", 1, soon()));
    print("34.accept_after_close", cord_accept(old, &s, NULL, soon()));
    print("34.getsockname_after_close", cord_local(old, &address));
    print("34.shutdown_after_close", cord_shutdown(old, SHUT_RDWR));
    cord_close(&p[1]);
}

static void listening(void)
{
    char address[CORD_ADDRESS_TEXT], byte;
    cord_socket l = listener("tcp", address), p[2], s = { 0 };
    cord_address peer;
    pair(p);
    print("37.accept_on_no_listener", cord_accept(p[0], &s, NULL, soon()));
    print("40.recv_on_listener", cord_recv(l, &byte, 1, soon()));
    print("42.send_on_listener", cord_send(l, "x", 1, soon()));
    print("47.getpeername_of_listener", cord_peer(l, &peer));
    print("45.accept_nothing_there", cord_accept(l, &s, NULL, CORD_NOWAIT));
    print("46.accept_timeout", cord_accept(l, &s, NULL, cord_in(20 * CORD_MILLISECOND)));
    print("46.negative_timeout", cord_socket_timeout(l, -1));
    cord_close(&l);
    cord_close(&p[0]);
    cord_close(&p[1]);
}

static void full_queue(void)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket first = listener("tcp", address), l, s[8];
    int count = 0, rc = 0;
    cord_close(&first);
    need(cord_listen(&l, address, &(cord_listen_options){ .backlog = 1 }));
    while (count < 8 && (rc = cord_connect(&s[count], address, NULL, cord_in(200 * CORD_MILLISECOND))) == 0)
        count++;
    print("36.connections_a_backlog_of_1_holds", count);
    print("46.connect_timeout", rc);
    while (count > 0)
        cord_close(&s[--count]);
    cord_close(&l);
}

static void streams(void)
{
    cord_socket p[2];
    char buf[100], *block = calloc(1, 1 << 16);
    int flags = CORD_PEEK;
    pair(p);
    print("45.recv_nothing_there", cord_recv(p[0], buf, 1, CORD_NOWAIT));
    print("46.recv_timeout", cord_recv(p[0], buf, 1, cord_in(20 * CORD_MILLISECOND)));
    print("40.recv_of_0_bytes", cord_recv(p[0], buf, 0, soon()));
    print("42.send_of_0_bytes", cord_send(p[0], "", 0, soon()));
    print("42.send", cord_send(p[0], "hello", 5, soon()));
    print("40.recv_peek", cord_recv_from(p[1], buf, 3, NULL, &flags, soon()));
    print("40.recv_part", cord_recv(p[1], buf, 3, soon()));
    print("40.recv_rest", cord_recv(p[1], buf, 100, soon()));
    while (cord_send(p[0], block, 1 << 16, cord_in(50 * CORD_MILLISECOND)) > 0) /* no more goes on to the peer */
        ;
    ssize_t full;
    while ((full = cord_send(p[0], block, 1 << 16, CORD_NOWAIT)) > 0) /* it may have drained once more */
        ;
    print("45.send_when_full", full);
    print("46.send_timeout", cord_send(p[0], "x", 1, cord_in(20 * CORD_MILLISECOND)));
    print("46.sendall_timeout", cord_send_all(p[0], block, 1 << 16, cord_in(20 * CORD_MILLISECOND)));
    cord_close(&p[0]);
    cord_close(&p[1]);
    free(block);
}

static void endings(void)
{
    cord_socket p[2];
    char byte;
    cord_address peer;
    pair(p);
    print("40.shutdown_write", cord_shutdown(p[1], SHUT_WR));
    print("42.send_after_own_shutdown", cord_send(p[1], "x", 1, soon()));
    print("40.recv_after_peers_shutdown", cord_recv(p[0], &byte, 1, soon()));
    print("40.recv_end_again", cord_recv(p[0], &byte, 1, soon()));
    print("42.send_to_half_closed", cord_send(p[0], "x", 1, soon()));
    cord_close(&p[0]);
    cord_close(&p[1]);
    pair(p);
    cord_close(&p[1]);
    print("40.recv_peer_closed", cord_recv(p[0], &byte, 1, soon()));
    print("42.first_send_after_close", cord_send(p[0], "x", 1, soon()));
    need(cord_sleep(50 * CORD_MILLISECOND)); /* the answer to it is a reset */
    print("42.second_send_after_close", cord_send(p[0], "x", 1, soon()));
    cord_close(&p[0]);
    pair(p);
    need(cord_option_set(p[1], CORD_LINGER, 0));
    cord_close(&p[1]);
    print("40.recv_peer_reset", cord_recv(p[0], &byte, 1, soon()));
    print("40.recv_after_reset", cord_recv(p[0], &byte, 1, soon()));
    print("43.sendall_after_reset", cord_send_all(p[0], "x", 1, soon()));
    print("47.getpeername_after_reset", cord_peer(p[0], &peer));
    print("40.shutdown_after_reset", cord_shutdown(p[0], SHUT_RDWR));
    cord_close(&p[0]);
}

static void datagrams(void)
{
    char address[CORD_ADDRESS_TEXT], *block = calloc(1, 65508);
    cord_socket server = listener("udp", address), loose = { 0 }, client;
    cord_address to, peer, zero;
    need(cord_listen(&loose, "udp:", NULL));
    need(cord_address_parse(&to, address));
    need(cord_address_parse(&zero, "udp:127.0.0.1:0"));
    print("44.sendto_empty", cord_send_to(loose, "", 0, &to, soon()));
    print("41.recvfrom_empty", cord_recv_from(server, block, 100, NULL, NULL, soon()));
    print("44.sendto_65507", cord_send_to(loose, block, 65507, &to, soon()));
    print("41.recvfrom_65507", cord_recv_from(server, block, 65508, NULL, NULL, soon()));
    print("44.sendto_65508", cord_send_to(loose, block, 65508, &to, soon()));
    print("44.sendto_port_0", cord_send_to(loose, "x", 1, &zero, soon()));
    need(cord_address_parse(&peer, "udp:255.255.255.255:9"));
    print("44.sendto_broadcast_not_allowed", cord_send_to(loose, "x", 1, &peer, soon()));
    need(cord_local(loose, &peer));
    print("48.getsockname_port_after_sendto", cord_address_port(&peer) != 0);
    print("44.sendto_10_bytes", cord_send_to(loose, "0123456789", 10, &to, soon()));
    print("41.recvfrom_cut_to_4", cord_recv_from(server, block, 4, NULL, NULL, soon()));
    print("41.recvfrom_rest_is_gone", cord_recv_from(server, block, 4, NULL, NULL, CORD_NOWAIT));
    print("44.send_without_peer", cord_send(loose, "x", 1, soon()));
    print("47.getpeername_without_peer", cord_peer(loose, &peer));
    print("40.shutdown_without_peer", cord_shutdown(loose, SHUT_RDWR));
    need(cord_connect(&client, address, NULL, soon()));
    cord_close(&server);
    print("38.udp_send_nobody_there", cord_send(client, "x", 1, soon()));
    print("38.udp_recv_refused", cord_recv(client, block, 1, soon()));
    print("38.udp_recv_again", cord_recv(client, block, 1, CORD_NOWAIT));
    cord_close(&client);
    cord_close(&loose);
    free(block);
}

static long option(cord_socket s, cord_option which)
{
    int64_t value = -1;
    int rc = cord_option_get(s, which, &value);
    return rc < 0 ? rc : (long)value;
}

static void options(void)
{
    cord_socket p[2];
    pair(p);
    print("46.keepalive_set", cord_option_set(p[0], CORD_KEEP_ALIVE, 1));
    print("46.keepalive", option(p[0], CORD_KEEP_ALIVE));
    print("46.rcvbuf_set", cord_option_set(p[0], CORD_RECV_BUFFER, 10000));
    print("46.rcvbuf_is_doubled", option(p[0], CORD_RECV_BUFFER));
    print("46.user_timeout_set", cord_option_set(p[0], CORD_USER_TIMEOUT, 500));
    print("46.user_timeout", option(p[0], CORD_USER_TIMEOUT));
    print("46.error", option(p[0], CORD_PENDING_ERROR));
    print("46.acceptconn", option(p[0], CORD_LISTENING));
    cord_close(&p[0]);
    cord_close(&p[1]);
    need(cord_socket_pair(p, CORD_UNIX));
    print("33.socketpair_send", cord_send(p[0], "abc", 3, soon()));
    char buf[8];
    print("33.socketpair_recv", cord_recv(p[1], buf, sizeof buf, soon()));
    cord_close(&p[0]);
    print("33.socketpair_recv_end", cord_recv(p[1], buf, sizeof buf, soon()));
    print("33.socketpair_send_to_closed", cord_send(p[1], "x", 1, soon()));
    cord_close(&p[1]);
    need(cord_socket_pair(p, CORD_UNIXGRAM));
    print("33.dgrampair_send", cord_send(p[0], "abc", 3, soon()));
    print("33.dgrampair_recv_cut", cord_recv(p[1], buf, 2, soon()));
    cord_close(&p[1]);
    print("33.dgrampair_send_to_closed", cord_send(p[0], "x", 1, soon()));
    cord_close(&p[0]);
}

static int all(void *unused)
{
    (void)unused;
    addresses();
    closed_sockets();
    listening();
    full_queue();
    streams();
    endings();
    datagrams();
    options();
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    cord_task_options how = { .name = "probe" };
    cord_task *task = NULL;
    cord_outcome out = { 0 };
    int rc = argc == 3 ? cord_kind_parse(&how.kind, argv[1]) : -EINVAL;
    if (rc == 0) {
        directory = argv[2];
        rc = cord_task_start(&task, all, NULL, 0, &how);
    }
    if (rc == 0)
        rc = cord_task_join(task, CORD_FOREVER, &out);
    cord_task_free(task);
    return cord_report("probe_errno", rc < 0 ? rc : out.value);
}
