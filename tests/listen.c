/* Listeners and clients: where they are bound, what is told when they cannot be, descriptors from elsewhere, paths. */
#include "netkit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- listening and connecting ---- */

MODE_TEST(listen_port_zero_picks_a_free_one)
{
    char address[CORD_ADDRESS_TEXT], want[256];
    cord_socket listener = listen_anywhere(address, "tcp"), second = { 0 };
    cord_address local;
    ok(cord_local(listener, &local));
    ck_assert_uint_ne(cord_address_port(&local), 0);
    is(cord_listen(&second, address, NULL), -EADDRINUSE);
    snprintf(want, sizeof want, "%s: address already in use; port 0 picks a free one", address);
    sentence_is(want);
    ck_assert_uint_eq(second.id, 0);
    cord_close(&listener);
}

MODE_TEST(listen_port_in_use_is_tried_for_a_moment)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), second = { 0 };
    int64_t before = cord_now();
    is(cord_listen(&second, address, NULL), -EADDRINUSE);
    ck_assert_int_ge(cord_now() - before, 20 * CORD_MILLISECOND);
    cord_close(&listener);
}

MODE_TEST(listen_foreign_address_eaddrnotavail)
{
    cord_socket listener = { 0 };
    is(cord_listen(&listener, "tcp:192.0.2.1:0", NULL), -EADDRNOTAVAIL);
    sentence_has("tcp:192.0.2.1:0: ");
}

/* The side that closes first keeps the port in TIME_WAIT. */
MODE_TEST(listen_again_at_once_works_unless_exclusive)
{
    char address[CORD_ADDRESS_TEXT], byte;
    cord_socket listener = listen_anywhere(address, "tcp"), client = { 0 }, server = { 0 };
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_accept(listener, &server, NULL, soon()));
    cord_close(&server);
    is(cord_recv(client, &byte, 1, soon()), 0);
    cord_close(&client);
    cord_close(&listener);
    is(cord_listen(&listener, address, &(cord_listen_options){ .exclusive = true }), -EADDRINUSE);
    ok(cord_listen(&listener, address, NULL));
    cord_close(&listener);
}

MODE_TEST(connect_nobody_listens_is_refused)
{
    char address[CORD_ADDRESS_TEXT], want[256];
    cord_socket listener = listen_anywhere(address, "tcp"), client = { 0 };
    cord_close(&listener);
    is(cord_connect(&client, address, NULL, soon()), -ECONNREFUSED);
    snprintf(want, sizeof want, "%s: connection refused; nothing listens there", address);
    sentence_is(want);
    ck_assert_uint_eq(client.id, 0);
    snprintf(address, sizeof address, "unix:%s/none", temp_dir());
    is(cord_connect(&client, address, NULL, soon()), -ENOENT);
    sentence_has(address);
}

MODE_TEST(connect_from_a_local_address)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), client = { 0 }, server = { 0 };
    cord_address peer;
    ok(cord_connect(&client, address, &(cord_connect_options){ .local = "tcp:127.0.0.2:0" }, soon()));
    ok(cord_accept(listener, &server, &peer, soon()));
    char host[CORD_ADDRESS_TEXT];
    ck_assert_str_eq(cord_address_host(&peer, host, sizeof host), "127.0.0.2");
    cord_close(&client);
    is(cord_connect(&client, address, &(cord_connect_options){ .local = "udp:127.0.0.2:0" }, soon()), CORD_EADDRESS);
    is(cord_connect(&client, address, &(cord_connect_options){ .local = "tcp:192.0.2.1:0" }, soon()), -EADDRNOTAVAIL);
    sentence_has("from tcp:192.0.2.1:0: ");
    cord_close(&server);
    cord_close(&listener);
}

MODE_TEST(accept_tells_the_peer)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), client = { 0 }, server = { 0 };
    cord_address peer, mine, theirs;
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_accept(listener, &server, &peer, soon()));
    ok(cord_local(client, &mine));
    ok(cord_peer(server, &theirs));
    ck_assert(cord_address_equal(&peer, &mine));
    ck_assert(cord_address_equal(&peer, &theirs));
    cord_close(&client);
    cord_close(&server);
    cord_close(&listener);
}

MODE_TEST(accept_on_no_listener_einval)
{
    cord_socket pair[2], none = { 0 };
    connected_pair(pair);
    is(cord_accept(pair[0], &none, NULL, soon()), -EINVAL);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

MODE_TEST(ipv6_loopback_and_dual_stack)
{
    cord_socket listener = { 0 }, client = { 0 }, server = { 0 };
    cord_address local, peer;
    char address[CORD_ADDRESS_TEXT];
    if (cord_listen(&listener, "tcp:[::]:0", NULL) < 0)
        skip("no IPv6 here");
    ok(cord_local(listener, &local));
    static const char *const hosts[] = { "127.0.0.1", "[::1]" };
    for (int i = 0; i < 2; i++) {
        snprintf(address, sizeof address, "tcp:%s:%u", hosts[i], cord_address_port(&local));
        int rc = cord_connect(&client, address, NULL, soon());
        if (rc == -EADDRNOTAVAIL)
            skip("no IPv6 on loopback here");
        ok(rc);
        ok(cord_accept(listener, &server, &peer, soon()));
        cord_address_text(&peer, address, sizeof address);
        ck_assert_ptr_nonnull(strstr(address, i == 0 ? "tcp:[::ffff:127.0.0.1]:" : "tcp:[::1]:"));
        cord_close(&client);
        cord_close(&server);
    }
    cord_close(&listener);
    ok(cord_listen(&listener, "tcp:[::]:0", &(cord_listen_options){ .v6_only = true }));
    ok(cord_local(listener, &local));
    snprintf(address, sizeof address, "tcp:127.0.0.1:%u", cord_address_port(&local));
    is(cord_connect(&client, address, NULL, soon()), -ECONNREFUSED);
    cord_close(&listener);
}

/* ---- limits ---- */

MODE_TEST(accept_at_the_limit_of_files_emfile_then_works)
{
    if (under_valgrind())
        skip("valgrind's accept(2) loses the connection that it answers EMFILE for");
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), client = { 0 }, server = { 0 };
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_recv(client, address, 0, soon()));
    struct rlimit limit, tight;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = limit;
    is(cord_accept(listener, &server, NULL, soon()), 0); /* the call's own descriptors are there now */
    cord_close(&server);
    cord_close(&client);
    ok(cord_connect(&client, address, NULL, soon()));
    int lowest = dup(0);
    close(lowest);
    tight.rlim_cur = (rlim_t)lowest;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    is(cord_accept(listener, &server, NULL, soon()), -EMFILE);
    sentence_has(address);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ok(cord_accept(listener, &server, NULL, soon()));
    cord_close(&server);
    cord_close(&client);
    cord_close(&listener);
}

/* ---- descriptors ---- */

MODE_TEST(adopt_fileno_detach)
{
    int fds[2];
    cord_socket socket = { 0 };
    char byte;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ok(cord_adopt(&socket, fds[0]));
    is(cord_fileno(socket), fds[0]);
    ck_assert_int_eq(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_eq(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, 0);
    is(cord_recv(socket, &byte, 1, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT); /* though the descriptor may block */
    ck_assert_int_eq((int)write(fds[1], "x", 1), 1);
    received(socket, "x");
    is(cord_detach(&socket), fds[0]);
    ck_assert_uint_eq(socket.id, 0);
    ck_assert_int_eq((int)write(fds[0], "y", 1), 1);
    close(fds[0]);
    close(fds[1]);
    is(cord_adopt(&socket, fds[0]), -EBADF);
    is(cord_adopt(&socket, -1), -EBADF);
}

MODE_TEST(detach_of_our_own_socket_may_block)
{
    cord_socket pair[2];
    connected_pair(pair);
    int fd = cord_detach(&pair[0]);
    ok(fd);
    ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    close(fd);
    received(pair[1], "");
    cord_close(&pair[1]);
}

MODE_TEST(fd_address_of_a_pipe)
{
    int fds[2];
    char address[2][CORD_ADDRESS_TEXT], line[20];
    cord_socket in = { 0 }, out = { 0 };
    cord_address local;
    ck_assert_int_eq(pipe(fds), 0);
    snprintf(address[0], CORD_ADDRESS_TEXT, "fd:%d", fds[0]);
    snprintf(address[1], CORD_ADDRESS_TEXT, "fd:%d", fds[1]);
    ok(cord_connect(&in, address[0], NULL, soon()));
    ok(cord_connect(&out, address[1], NULL, soon()));
    close(fds[0]);
    close(fds[1]); /* copies are used */
    is(cord_recv(in, line, sizeof line, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
    is(cord_send_all(out, "one\ntwo", 7, soon()), 7);
    is(cord_read_line(in, line, sizeof line, soon()), 4);
    ck_assert_str_eq(line, "one");
    received(in, "two");
    ok(cord_local(in, &local));
    is(cord_peer(in, &local), -ENOTCONN);
    ck_assert_int_lt(cord_shutdown(out, SHUT_WR), 0);
    cord_close(&in);
    is(cord_send(out, "x", 1, soon()), -EPIPE); /* and no SIGPIPE */
    cord_close(&out);
    is(cord_connect(&in, "fd:987654", NULL, soon()), -EBADF);
    sentence_has("fd:987654");
}

MODE_TEST(fd_address_of_a_file)
{
    char path[100], address[CORD_ADDRESS_TEXT], line[20];
    cord_socket file = { 0 };
    snprintf(path, sizeof path, "%s/file", temp_dir());
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq((int)write(fd, "a\n\nlast", 7), 7);
    ck_assert_int_eq((int)lseek(fd, 0, SEEK_SET), 0);
    snprintf(address, sizeof address, "fd:%d", fd);
    ok(cord_connect(&file, address, NULL, soon()));
    close(fd);
    is(cord_read_line(file, line, sizeof line, soon()), 2);
    is(cord_read_line(file, line, sizeof line, soon()), 1);
    is(cord_read_line(file, line, sizeof line, soon()), 4);
    is(cord_read_line(file, line, sizeof line, soon()), 0);
    is(cord_send_all(file, "more", 4, soon()), 4);
    cord_close(&file);
}

MODE_TEST(fd_address_of_a_terminal)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        skip("no pseudo-terminals here");
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    char address[CORD_ADDRESS_TEXT], line[20];
    cord_socket terminal = { 0 };
    snprintf(address, sizeof address, "fd:%d", slave);
    ok(cord_connect(&terminal, address, NULL, soon()));
    close(slave);
    is(cord_read_line(terminal, line, sizeof line, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_eq((int)write(master, "typed\n\4", 7), 7); /* a line, and Ctrl-D */
    is(cord_read_line(terminal, line, sizeof line, soon()), 6);
    ck_assert_str_eq(line, "typed");
    is(cord_read_line(terminal, line, sizeof line, soon()), 0);
    is(cord_send_all(terminal, "shown", 5, soon()), 5);
    cord_close(&terminal);
    close(master);
}

MODE_TEST(fd_address_of_a_listener)
{
    char address[CORD_ADDRESS_TEXT], by_number[CORD_ADDRESS_TEXT];
    cord_socket first = listen_anywhere(address, "tcp"), listener = { 0 }, client = { 0 }, server = { 0 };
    snprintf(by_number, sizeof by_number, "fd:%d", cord_fileno(first));
    ok(cord_listen(&listener, by_number, NULL));
    cord_close(&first);
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_accept(listener, &server, NULL, soon()));
    cord_close(&server);
    cord_close(&client);
    cord_close(&listener);
}

MODE_TEST(pair_of_streams_and_of_datagrams)
{
    cord_socket pair[2];
    char buf[8];
    ok(cord_socket_pair(pair, CORD_UNIX));
    is(cord_send_all(pair[0], "ab", 2, soon()), 2);
    is(cord_send_all(pair[0], "cd", 2, soon()), 2);
    is(cord_read_exact(pair[1], buf, 4, soon()), 4);
    cord_close(&pair[0]);
    received(pair[1], "");
    cord_close(&pair[1]);
    ok(cord_socket_pair(pair, CORD_UNIXGRAM));
    is(cord_send(pair[0], "ab", 2, soon()), 2);
    is(cord_send(pair[0], "cd", 2, soon()), 2);
    received(pair[1], "ab");
    received(pair[1], "cd");
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    is(cord_socket_pair(pair, CORD_TCP), -EINVAL);
}

/* ---- buffers ---- */

static int64_t buffer_of(cord_socket socket, cord_option which)
{
    int64_t size = 0;
    ok(cord_option_get(socket, which, &size));
    return size;
}

static void connection_has(cord_socket listener, const char *address, int64_t recv, int64_t send)
{
    cord_socket client = { 0 }, server = { 0 };
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_accept(listener, &server, NULL, soon()));
    is(buffer_of(server, CORD_RECV_BUFFER), recv);
    is(buffer_of(server, CORD_SEND_BUFFER), send);
    cord_close(&client);
    cord_close(&server);
}

MODE_TEST(buffers_are_those_of_each_connection)
{
    char path[CORD_ADDRESS_TEXT], address[CORD_ADDRESS_TEXT];
    snprintf(path, sizeof path, "unix:%s/buffers", temp_dir());
    const char *const places[] = { "tcp:127.0.0.1:0", path };
    for (int i = 0; i < 2; i++) {
        cord_socket listener = { 0 };
        cord_address local;
        ok(cord_listen(&listener, places[i], &(cord_listen_options){ .recv_buffer = 20000, .send_buffer = 30000 }));
        ok(cord_local(listener, &local));
        is(buffer_of(listener, CORD_RECV_BUFFER), 40000); /* the kernel's double */
        is(buffer_of(listener, CORD_SEND_BUFFER), 60000);
        connection_has(listener, cord_address_text(&local, address, sizeof address), 40000, 60000);
        cord_close(&listener);
    }
}

/* How much goes to a connection that reads nothing and has not been accepted. */
static size_t taken(const cord_listen_options *options)
{
    static const char block[64 * 1024];
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = { 0 }, client = { 0 };
    cord_address local;
    size_t all = 0;
    ssize_t n;
    ok(cord_listen(&listener, "tcp:127.0.0.1:0", options));
    ok(cord_local(listener, &local));
    ok(cord_connect(&client, cord_address_text(&local, address, sizeof address), NULL, soon()));
    ok(cord_option_set(client, CORD_SEND_BUFFER, 16 * 1024));
    while ((n = cord_send(client, block, sizeof block, cord_in(50 * CORD_MILLISECOND))) > 0)
        all += (size_t)n;
    is(n, -ETIMEDOUT);
    cord_close(&client);
    cord_close(&listener);
    return all;
}

MODE_TEST(buffers_bound_what_a_peer_can_send_ahead)
{
    size_t small = taken(&(cord_listen_options){ .recv_buffer = 8 * 1024 }), usual = taken(NULL);
    ck_assert_uint_lt(small, usual);
}

MODE_TEST(buffers_of_descriptors_and_datagrams)
{
    char address[CORD_ADDRESS_TEXT], by_number[CORD_ADDRESS_TEXT];
    static const char *const transports[] = { "tcp", "unix" };
    const cord_listen_options how = { .recv_buffer = 20000, .send_buffer = 30000 };
    cord_socket listener = { 0 };
    for (int i = 0; i < 2; i++) {
        cord_socket first = listen_anywhere(address, transports[i]);
        snprintf(by_number, sizeof by_number, "fd:%d", cord_fileno(first));
        ok(cord_listen(&listener, by_number, &how));
        connection_has(listener, address, 40000, 60000);
        cord_close(&listener);
        cord_close(&first);
    }
    ok(cord_listen(&listener, "udp:127.0.0.1:0", &how));
    is(buffer_of(listener, CORD_RECV_BUFFER), 40000);
    is(buffer_of(listener, CORD_SEND_BUFFER), 60000);
    cord_close(&listener);
    ok(cord_listen(&listener, "tcp:127.0.0.1:0", &(cord_listen_options){ .recv_buffer = UINT32_MAX })); /* is bounded */
    ck_assert_int_gt(buffer_of(listener, CORD_RECV_BUFFER), 40000);
    cord_close(&listener);
}

/* ---- unix paths ---- */

MODE_TEST(unix_path_goes_with_its_listener)
{
    char address[CORD_ADDRESS_TEXT];
    struct stat stat_;
    cord_socket listener = listen_anywhere(address, "unix"), second = { 0 };
    ck_assert_int_eq(stat(address + 5, &stat_), 0);
    is(cord_listen(&second, address, NULL), -EADDRINUSE);
    sentence_has("another program listens there");
    ck_assert_int_eq(stat(address + 5, &stat_), 0);
    cord_close(&listener);
    ck_assert_int_ne(stat(address + 5, &stat_), 0);
}

MODE_TEST(unix_stale_path_is_replaced_a_file_is_not)
{
    char address[CORD_ADDRESS_TEXT];
    struct stat stat_;
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf(name.sun_path, sizeof name.sun_path, "%s/stale", temp_dir());
    snprintf(address, sizeof address, "unix:%s", name.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd); /* as a program that was killed leaves it */
    cord_socket listener = { 0 }, client = { 0 };
    is(cord_connect(&client, address, NULL, soon()), -ECONNREFUSED);
    ok(cord_listen(&listener, address, NULL));
    ok(cord_connect(&client, address, NULL, soon()));
    cord_close(&client);
    /* a path that somebody else has taken meanwhile is not ours to remove */
    ck_assert_int_eq(unlink(name.sun_path), 0);
    fd = open(name.sun_path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    cord_close(&listener);
    ck_assert_int_eq(stat(name.sun_path, &stat_), 0);
    is(cord_listen(&listener, address, NULL), -EADDRINUSE);
    sentence_has("a file that is no socket has this path");
    ck_assert_int_eq(stat(name.sun_path, &stat_), 0);
}

static int close_copy(void *arg)
{
    cord_close(arg);
    return 0;
}

MODE_TEST(unix_path_stays_when_a_child_closes_its_copy)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "unix"), client = { 0 };
    cord_task *task = NULL;
    ok(cord_task_start(&task, close_copy, &listener, sizeof listener, &(cord_task_options){ .kind = CORD_PROCESS }));
    join(task, 0);
    ok(cord_connect(&client, address, NULL, soon()));
    cord_close(&client);
    cord_close(&listener);
}

MODE_TEST(unix_abstract_name_serves_without_a_file)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = { 0 }, client = { 0 }, server = { 0 };
    cord_address peer;
    snprintf(address, sizeof address, "unix:@cordage-%d", getpid());
    ok(cord_listen(&listener, address, NULL));
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_accept(listener, &server, &peer, soon()));
    is(peer.length, 0);
    ok(cord_peer(client, &peer));
    char text[CORD_ADDRESS_TEXT];
    ck_assert_str_eq(cord_address_text(&peer, text, sizeof text), address);
    cord_close(&server);
    cord_close(&client);
    cord_close(&listener);
}

int main(void)
{
    return run_tests("listen", MODE(listen_port_zero_picks_a_free_one), MODE(listen_port_in_use_is_tried_for_a_moment),
                     MODE(listen_foreign_address_eaddrnotavail), MODE(listen_again_at_once_works_unless_exclusive),
                     MODE(connect_nobody_listens_is_refused), MODE(connect_from_a_local_address),
                     MODE(accept_tells_the_peer), MODE(accept_on_no_listener_einval),
                     MODE(ipv6_loopback_and_dual_stack), MODE(accept_at_the_limit_of_files_emfile_then_works),
                     MODE(adopt_fileno_detach), MODE(detach_of_our_own_socket_may_block), MODE(fd_address_of_a_pipe),
                     MODE(fd_address_of_a_file), MODE(fd_address_of_a_terminal), MODE(fd_address_of_a_listener),
                     MODE(pair_of_streams_and_of_datagrams), MODE(buffers_are_those_of_each_connection),
                     MODE(buffers_bound_what_a_peer_can_send_ahead), MODE(buffers_of_descriptors_and_datagrams),
                     MODE(unix_path_goes_with_its_listener), MODE(unix_stale_path_is_replaced_a_file_is_not),
                     MODE(unix_path_stays_when_a_child_closes_its_copy), MODE(unix_abstract_name_serves_without_a_file),
                     END);
}
