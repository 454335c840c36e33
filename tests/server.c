/* tests/server.c - connections and listeners: the same handlers in every kind, on both backends. Stopping, datagrams
 * and what only processes can show are in the files beside it. */
#include "serving.h"

#include <errno.h>
#include <unistd.h>

/* ---- connections ---- */

KIND_TEST(echo_gives_each_client_its_own_bytes)
{
    struct served served = serve("tcp:127.0.0.1:0", echo, NULL);
    for (int i = 0; i < 5; i++)
        echo_once(served.address);
    eventually(none_active, &served);
    is((long)counts(&served).accepted, 5);
    is((long)counts(&served).failed, 0);
    stop(&served);
    is(log_lines, 0);
}

LOOP_KINDS_TEST(clients_at_one_time_are_all_served)
{
    enum { CLIENTS = 20 };
    cord_socket sockets[CLIENTS];
    char text[64];
    struct served served = serve("tcp:127.0.0.1:0", echo, NULL);
    for (int i = 0; i < CLIENTS; i++)
        sockets[i] = dial(served.address);
    for (int round = 0; round < 3; round++) {
        for (int i = CLIENTS - 1; i >= 0; i--) {
            snprintf(text, sizeof text, "client %d round %d", i, round);
            say(sockets[i], text);
        }
        for (int i = 0; i < CLIENTS; i++) {
            snprintf(text, sizeof text, "client %d round %d", i, round);
            hears(sockets[i], text);
        }
    }
    is((long)counts(&served).active, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        hang_up(&sockets[i]);
    stop(&served);
}

static int return_at_once(cord_request *request)
{
    (void)request;
    return 0;
}

KIND_TEST(handler_that_returns_at_once_ends_the_stream)
{
    struct served served = serve("tcp:127.0.0.1:0", return_at_once, NULL);
    for (int i = 0; i < 5; i++) {
        cord_socket socket = dial(served.address);
        hears_end(socket);
        hang_up(&socket);
    }
    stop(&served);
}

KIND_TEST(no_handler_ends_the_stream)
{
    struct served served = serve("tcp:127.0.0.1:0", NULL, NULL);
    cord_socket socket = dial(served.address);
    hears_end(socket);
    hang_up(&socket);
    stop(&served);
}

static int set_up(cord_request *request)
{
    struct seen *seen = request->state;
    note(seen, 1);
    return seen->fail == 1 ? -EACCES : 0;
}

static int handle(cord_request *request)
{
    struct seen *seen = request->state;
    note(seen, 2);
    return seen->fail == 2 ? -EPROTO : 7;
}

static int clean_up(cord_request *request)
{
    struct seen *seen = request->state;
    note(seen, 3);
    return seen->fail == 3 ? -EIO : 0;
}

static void note_closed(const cord_request *request, int rc)
{
    struct seen *seen = request->state;
    note(seen, 4);
    seen->answer = rc;
}

static void expect_steps(struct seen *seen, struct served *served, int fail, const int *want, int answer)
{
    seen->count = 0;
    seen->fail = fail;
    uint64_t failed = counts(served).failed;
    cord_socket socket = dial(served->address);
    hears_end(socket);
    hang_up(&socket);
    eventually(none_active, served);
    for (int i = 0; want[i]; i++)
        is(seen->step[i], want[i]);
    is(seen->answer, answer);
    is((long)(counts(served).failed - failed), fail != 0);
}

KIND_TEST(setup_handle_finish_run_in_socketservers_order)
{
    struct seen *seen = new_seen();
    cord_server_options how = { .state = seen, .setup = set_up, .finish = clean_up, .closed = note_closed };
    struct served served = serve("tcp:127.0.0.1:0", handle, &how);
    expect_steps(seen, &served, 0, (int[]){ 1, 2, 3, 4, 0 }, 7);
    expect_steps(seen, &served, 1, (int[]){ 1, 4, 0 }, -EACCES);
    is(seen->count, 2);
    expect_steps(seen, &served, 2, (int[]){ 1, 2, 3, 4, 0 }, -EPROTO);
    expect_steps(seen, &served, 3, (int[]){ 1, 2, 3, 4, 0 }, -EIO);
    stop(&served);
    is(log_lines, 3);
    free_seen(seen);
}

static int fail_on_bad(cord_request *request)
{
    char buf[8];
    ssize_t n;
    while ((n = cord_recv(request->socket, buf, sizeof buf, CORD_FOREVER)) > 0) {
        if (buf[0] == '!')
            return -EPROTO;
        if ((n = cord_send_all(request->socket, buf, (size_t)n, CORD_FOREVER)) < 0)
            break;
    }
    return (int)n;
}

LOOP_KINDS_TEST(failing_handler_closes_only_its_connection_and_is_logged)
{
    struct served served = serve("tcp:127.0.0.1:0", fail_on_bad, NULL);
    cord_address local;
    char peer[CORD_ADDRESS_TEXT];
    cord_socket good = dial(served.address), bad = dial(served.address);
    say(good, "a");
    hears(good, "a");
    ok(cord_local(bad, &local));
    cord_address_text(&local, peer, sizeof peer);
    say(bad, "!");
    hears_end(bad);
    hang_up(&bad);
    eventually(log_came, peer);
    ck_assert(log_has("rotocol error"));
    say(good, "b");
    hears(good, "b");
    hang_up(&good);
    is((long)counts(&served).failed, 1);
    stop(&served);
    is(log_lines, 1);
}

KIND_TEST(quiet_server_logs_nothing)
{
    struct served served = serve("tcp:127.0.0.1:0", fail_on_bad, &(cord_server_options){ .quiet = true });
    cord_socket bad = dial(served.address);
    say(bad, "!");
    hears_end(bad);
    hang_up(&bad);
    stop(&served);
    is(log_lines, 0);
}

static int tell_request(cord_request *request)
{
    unsigned char zero[64] = { 0 };
    cord_address mine;
    int rc = cord_local(request->socket, &mine);
    bool good = rc == 0 && memcmp(request->user, zero, sizeof zero) == 0 && !request->data && request->server &&
                cord_address_equal(&mine, &request->local);
    memset(request->user, 0xff, sizeof zero);
    return (int)cord_sendf(request->socket, CORD_FOREVER, "%s %u\n", good ? "good" : "bad",
                           cord_address_port(&request->peer));
}

KIND_TEST(request_names_peer_listener_and_zeroed_user_bytes)
{
    struct served served = serve("tcp:127.0.0.1:0", tell_request, &(cord_server_options){ .user_size = 64 });
    for (int i = 0; i < 3; i++) {
        char line[64], want[64];
        cord_address local;
        cord_socket socket = dial(served.address);
        ok(cord_local(socket, &local));
        snprintf(want, sizeof want, "good %u", cord_address_port(&local));
        ok(cord_read_line(socket, line, sizeof line, soon()));
        ck_assert_str_eq(line, want);
        hang_up(&socket);
    }
    stop(&served);
}

/* More clients than may be handled at one time: the others wait in the kernel. */
static int count_running(cord_request *request)
{
    struct seen *seen = request->state;
    int now = atomic_fetch_add(&seen->now, 1) + 1;
    for (int most = seen->most; now > most && !atomic_compare_exchange_weak(&seen->most, &most, now);)
        ;
    int rc = echo(request);
    atomic_fetch_sub(&seen->now, 1);
    return rc;
}

static void expect_limit(uint32_t limit)
{
    enum { CLIENTS = 7 };
    struct seen *seen = new_seen();
    cord_socket sockets[CLIENTS];
    struct served served =
        serve("tcp:127.0.0.1:0", count_running, &(cord_server_options){ .state = seen, .max_connections = limit });
    for (int i = 0; i < CLIENTS; i++) {
        sockets[i] = dial(served.address);
        say(sockets[i], "x");
    }
    for (uint32_t i = 0; i < CLIENTS + limit; i++) { /* the first leaves when `limit` are served */
        if (i < CLIENTS)
            hears(sockets[i], "x");
        ck_assert_uint_le(counts(&served).active, limit);
        if (i + 1 >= limit && i + 1 - limit < CLIENTS)
            hang_up(&sockets[i + 1 - limit]);
    }
    stop(&served);
    is(seen->most, (int)limit);
    free_seen(seen);
}

KIND_TEST(max_connections_holds_the_others_back)
{
    expect_limit(kind == CORD_SERIAL ? 1 : 2);
}

static int wait_idle(cord_request *request)
{
    char byte;
    struct seen *seen = request->state;
    seen->answer = (int)cord_recv(request->socket, &byte, 1, CORD_FOREVER);
    return seen->answer;
}

KIND_TEST(idle_connection_times_out)
{
    struct seen *seen = new_seen();
    struct served served = serve("tcp:127.0.0.1:0", wait_idle,
                                 &(cord_server_options){ .state = seen, .limit.idle = 20 * CORD_MILLISECOND });
    cord_socket socket = dial(served.address);
    hears_end(socket);
    hang_up(&socket);
    stop(&served);
    is(seen->answer, -ETIMEDOUT);
    is(log_lines, 1);
    free_seen(seen);
}

static int exchange_many(void *arg)
{
    char text[64], back[64];
    cord_socket socket = { 0 };
    int rc = cord_connect(&socket, arg, NULL, soon());
    for (int i = 0; i < 100 && rc == 0; i++) {
        int length = snprintf(text, sizeof text, "message %d of client %llx", i, (unsigned long long)socket.id);
        ssize_t n = cord_send_all(socket, text, (size_t)length, soon());
        if (n >= 0)
            n = cord_read_exact(socket, back, (size_t)length, soon());
        rc = n < 0 ? (int)n : memcmp(text, back, (size_t)length) == 0 ? 0 : -EILSEQ;
    }
    if (rc == 0)
        rc = cord_shutdown(socket, SHUT_WR);
    cord_close(&socket);
    return rc;
}

static int many_clients(void *address)
{
    cord_group *group;
    int rc = cord_group_new(&group, NULL);
    for (int i = 0; i < 200 && rc == 0; i++)
        rc = cord_group_start(group, exchange_many, address, 0);
    return rc < 0 ? rc : cord_group_join(group, CORD_FOREVER);
}

LOOP_KINDS_TEST(two_hundred_clients_exchange_a_hundred_messages_each)
{
    struct served served = serve("tcp:127.0.0.1:0", echo, NULL);
    is(cord_run(many_clients, served.address, NULL), 0);
    eventually(none_active, &served);
    is((long)counts(&served).accepted, 200);
    is((long)counts(&served).failed, 0);
    stop(&served);
}

/* ---- listeners ---- */

KIND_TEST(several_listeners_share_handler)
{
    char path[CORD_ADDRESS_TEXT];
    snprintf(path, sizeof path, "unix:%s/s", temp_dir());
    const char *more[] = { path, "tcp:127.0.0.1:0", NULL };
    struct served served = serve("tcp:127.0.0.1:0", echo, &(cord_server_options){ .addresses = more });
    cord_address second;
    char text[CORD_ADDRESS_TEXT];
    ok(cord_server_address(served.server, 2, &second));
    is(cord_server_address(served.server, 3, &second), -ENOENT);
    for (int i = 0; i < 3; i++) {
        echo_once(served.address);
        echo_once(path);
        echo_once(cord_address_text(&second, text, sizeof text));
    }
    stop(&served);
    is(access(path + strlen("unix:"), F_OK), -1);
    is(log_lines, 0);
}

KIND_TEST(unix_path_outlives_its_connections)
{
    char path[CORD_ADDRESS_TEXT];
    snprintf(path, sizeof path, "unix:%s/s", temp_dir());
    struct served served = serve(path, echo, NULL);
    for (int i = 0; i < 3; i++)
        echo_once(path);
    stop(&served);
}

KIND_TEST(ipv6_is_served)
{
    cord_socket probe = { 0 };
    if (cord_listen(&probe, "tcp:[::1]:0", NULL) < 0)
        skip("no IPv6 here");
    cord_close(&probe);
    struct served served = serve("tcp:[::1]:0", echo, NULL);
    echo_once(served.address);
    stop(&served);
}

static int count_ready;
static char ready_text[2][CORD_ADDRESS_TEXT];

static void ready(const cord_address *address, void *state)
{
    is(*(int *)state, 42);
    cord_address_text(address, ready_text[count_ready++ % 2], CORD_ADDRESS_TEXT);
}

KIND_TEST(ready_is_called_once_for_each_listener)
{
    const char *more[] = { "udp:127.0.0.1:0", NULL };
    int state = 42;
    cord_server_options how = { .addresses = more, .ready = ready, .state = &state };
    struct served served = serve("tcp:127.0.0.1:0", echo, &how);
    echo_once(served.address);
    is(count_ready, 2);
    ck_assert_str_eq(ready_text[0], served.address);
    ck_assert(strncmp(ready_text[1], "udp:127.0.0.1:", 14) == 0);
    stop(&served);
}

KIND_TEST(restart_on_the_same_port_works_at_once)
{
    struct served first = serve("tcp:127.0.0.1:0", return_at_once, NULL);
    for (int i = 0; i < 3; i++) {
        cord_socket socket = dial(first.address);
        hears_end(socket); /* the server closed first: its port is in TIME_WAIT */
        hang_up(&socket);
    }
    stop(&first);
    struct served second = serve(first.address, echo, NULL);
    ck_assert_str_eq(second.address, first.address);
    echo_once(second.address);
    stop(&second);
}

PLAIN_TEST(serve_on_a_taken_port_says_so)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket taken = listen_anywhere(address, "tcp");
    is(cord_serve(address, echo, NULL), -EADDRINUSE);
    ck_assert(strstr(cord_error_detail(), address));
    const char *more[] = { address, NULL };
    is(cord_serve("tcp:127.0.0.1:0", echo, &(cord_server_options){ .addresses = more }), -EADDRINUSE);
    cord_close(&taken);
    is(cord_serve(NULL, echo, NULL), -EINVAL);
    const char *many[] = { "udp:", "udp:", "udp:", "udp:", "udp:", "udp:", "udp:", "udp:", NULL };
    is(cord_serve(NULL, echo, &(cord_server_options){ .addresses = many }), -EINVAL);
    is(cord_serve("tcp:127.0.0.1:0", echo, &(cord_server_options){ .kind = (cord_kind)9 }), -EINVAL);
}

int main(void)
{
    return run_tests("server", KINDS(echo_gives_each_client_its_own_bytes),
                     PARALLEL(clients_at_one_time_are_all_served), KINDS(handler_that_returns_at_once_ends_the_stream),
                     KINDS(no_handler_ends_the_stream), KINDS(setup_handle_finish_run_in_socketservers_order),
                     PARALLEL(failing_handler_closes_only_its_connection_and_is_logged),
                     KINDS(quiet_server_logs_nothing), KINDS(request_names_peer_listener_and_zeroed_user_bytes),
                     KINDS(max_connections_holds_the_others_back), KINDS(idle_connection_times_out),
                     PARALLEL(two_hundred_clients_exchange_a_hundred_messages_each),
                     KINDS(several_listeners_share_handler), KINDS(unix_path_outlives_its_connections),
                     KINDS(ipv6_is_served), KINDS(ready_is_called_once_for_each_listener),
                     KINDS(restart_on_the_same_port_works_at_once), PLAIN(serve_on_a_taken_port_says_so), END);
}
