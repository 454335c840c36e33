/* tests/server_defence.c - what a server does about clients that are many, slow, silent or rude. */
#include "serving.h"

#include <errno.h>
#include <unistd.h>

/* A client from an address of its own. */
static cord_socket dial_from(const char *local, const char *address)
{
    cord_socket socket = { 0 };
    ok(cord_connect(&socket, address, &(cord_connect_options){ .local = local }, soon()));
    return socket;
}

static void exchange(cord_socket socket, const char *text)
{
    say(socket, text);
    hears(socket, text);
}

/* Resets the connection, also where other processes have copies of it: connect(2) says how. */
static void reset(cord_socket *socket)
{
    const struct sockaddr none = { .sa_family = AF_UNSPEC };
    is(connect(cord_fileno(*socket), &none, sizeof none), 0);
    cord_close(socket);
}

/* ---- refusals ---- */

static const char here[] = "tcp:127.0.0.1:0", there[] = "tcp:127.0.0.2:0";

static bool one_active(void *served)
{
    return counts(served).active == 1;
}

LOOP_KINDS_TEST(connections_of_one_peer_are_bounded)
{
    struct served served =
        serve("tcp:127.0.0.1:0", echo, &(cord_server_options){ .max_per_peer = 2, .refusal = "too many\n" });
    cord_socket first = dial_from(here, served.address), second = dial_from(here, served.address);
    exchange(first, "a");
    exchange(second, "b");
    for (int i = 0; i < 3; i++) {
        cord_socket third = dial_from(here, served.address);
        hears(third, "too many\n");
        hears_end(third);
        hang_up(&third);
    }
    is((long)counts(&served).refused, 3);
    cord_socket others[2];
    for (int i = 0; i < 2; i++) { /* who comes from elsewhere is counted on his own */
        others[i] = dial_from(there, served.address);
        exchange(others[i], "c");
    }
    for (int i = 0; i < 2; i++)
        hang_up(&others[i]);
    hang_up(&second);
    eventually(one_active, &served);
    second = dial_from(here, served.address); /* a place is free again, and just one */
    exchange(second, "d");
    cord_socket third = dial_from(here, served.address);
    hears(third, "too many\n");
    hang_up(&third);
    exchange(first, "e");
    hang_up(&first);
    hang_up(&second);
    is((long)counts(&served).accepted, 5);
    stop(&served);
    is(log_lines, 0);
}

LOOP_KINDS_TEST(peer_without_refusal_text_sees_the_end)
{
    struct served served = serve("tcp:127.0.0.1:0", echo, &(cord_server_options){ .max_per_peer = 1 });
    cord_socket first = dial(served.address), second = dial(served.address);
    exchange(first, "a");
    hears_end(second);
    exchange(first, "b");
    hang_up(&first);
    hang_up(&second);
    stop(&served);
}

static void expect_refusal(const char *text, bool per_connection)
{
    enum { MOST = 2, MORE = 5 };
    cord_socket sockets[MOST];
    cord_server_options how = { .max_connections = MOST, .refusal = text, .per_connection = per_connection };
    struct served served = serve("tcp:127.0.0.1:0", echo, &how);
    for (int i = 0; i < MOST; i++) {
        sockets[i] = dial(served.address);
        exchange(sockets[i], "a");
    }
    for (int i = 0; i < MORE; i++) {
        cord_socket more = dial(served.address);
        hears(more, text);
        hears_end(more);
        hang_up(&more);
    }
    is((long)counts(&served).refused, MORE);
    is((long)counts(&served).accepted, MOST);
    for (int i = 0; i < MOST; i++) {
        exchange(sockets[i], "b");
        hang_up(&sockets[i]);
    }
    eventually(none_active, &served);
    echo_once(served.address); /* there is room again */
    stop(&served);
    is(log_lines, 0);
}

LOOP_KINDS_TEST(connections_beyond_the_limit_are_refused_with_the_text)
{
    expect_refusal("503 come back later\r\n", false);
    expect_refusal("", false);
    if (kind == CORD_PROCESS)
        expect_refusal("full", true);
}

/* Closing over what a client has sent would take the text away from it. */
LOOP_KINDS_TEST(client_that_speaks_gets_the_refusal_too)
{
    struct served served =
        serve("tcp:127.0.0.1:0", echo, &(cord_server_options){ .max_connections = 1, .refusal = "full" });
    cord_socket first = dial(served.address), sockets[10];
    exchange(first, "a");
    for (int i = 0; i < 10; i++) {
        sockets[i] = dial(served.address);
        ssize_t n = cord_send(sockets[i], "GET / HTTP/1.1\r\n\r\n", 18, soon());
        ck_assert(n == 18 || n == -EPIPE || n == -ECONNRESET); /* the server may have been faster */
        hears(sockets[i], "full");
        hang_up(&sockets[i]);
    }
    exchange(first, "b");
    hang_up(&first);
    stop(&served);
}

LOOP_KINDS_TEST(without_a_refusal_text_they_wait)
{
    struct served served = serve("tcp:127.0.0.1:0", echo, &(cord_server_options){ .max_connections = 1 });
    cord_socket first = dial(served.address), second = dial(served.address);
    exchange(first, "a");
    say(second, "waits");
    exchange(first, "b");
    is((long)counts(&served).accepted, 1);
    hang_up(&first);
    hears(second, "waits");
    hang_up(&second);
    is((long)counts(&served).refused, 0);
    stop(&served);
}

/* ---- limits of a connection ---- */

/* "m" is answered by more than any buffer holds; the rest is an echo. */
static int echo_or_much(cord_request *request)
{
    static char much[1 << 20];
    char byte;
    ssize_t n;
    while ((n = cord_recv(request->socket, &byte, 1, CORD_FOREVER)) == 1) {
        for (int i = 0; i < 64 && byte == 'm' && n > 0; i++)
            n = cord_send_all(request->socket, much, sizeof much, CORD_FOREVER);
        if (n > 0 && byte != 'm')
            n = cord_send_all(request->socket, &byte, 1, CORD_FOREVER);
        if (n < 0)
            break;
    }
    return (int)n;
}

static bool some_logged(void *unused)
{
    (void)unused;
    return atomic_load(&log_lines) > 0;
}

/* One connection says `words` and breaks the limit; one that keeps it (not in kind serial, nor where all break it in
 * time) is unharmed, and the next ones are served. */
static void expect_cut(cord_socket_limits limit, const char *words, bool beside, const char *sentence)
{
    char peer[CORD_ADDRESS_TEXT];
    cord_address local;
    struct served served = serve("tcp:127.0.0.1:0", echo_or_much, &(cord_server_options){ .limit = limit });
    cord_socket good = { 0 }, bad;
    beside = beside && kind != CORD_SERIAL;
    if (beside) {
        good = dial(served.address);
        exchange(good, "x");
    }
    bad = dial(served.address);
    ok(cord_local(bad, &local));
    cord_address_text(&local, peer, sizeof peer);
    say(bad, words);
    eventually(some_logged, NULL);
    ck_assert_msg(log_has(peer) && log_has(sentence), "%s", log_text);
    if (words[0] != 'm') {
        hears(bad, words);
        hears_end(bad);
    }
    hang_up(&bad);
    if (beside) {
        exchange(good, "y");
        hang_up(&good);
    }
    good = dial(served.address);
    exchange(good, "z");
    hang_up(&good);
    eventually(none_active, &served);
    is((long)counts(&served).failed, 1);
    is(log_lines, 1);
    stop(&served);
}

KIND_TEST(client_that_says_nothing_is_cut_off)
{
    expect_cut((cord_socket_limits){ .first = 100 * CORD_MILLISECOND }, "", true,
               "timed out: no byte came within 100 ms");
}

KIND_TEST(client_that_falls_silent_is_cut_off)
{
    expect_cut((cord_socket_limits){ .idle = 200 * CORD_MILLISECOND }, "a", false, "timed out");
}

KIND_TEST(client_that_does_not_read_is_cut_off)
{
    expect_cut((cord_socket_limits){ .stalled = 100 * CORD_MILLISECOND }, "m", true,
               "timed out: the peer took nothing for 100 ms");
}

KIND_TEST(client_that_takes_too_long_is_cut_off)
{
    expect_cut((cord_socket_limits){ .whole = 200 * CORD_MILLISECOND }, "a", false,
               "timed out: the connection took longer than 200 ms");
}

/* ---- rude clients ---- */

static bool all_gone_but_one(void *served)
{
    return counts(served).active == 1;
}

LOOP_KINDS_TEST(clients_that_reset_cost_only_their_connection)
{
    enum { CLIENTS = 8 };
    struct served served = serve("tcp:127.0.0.1:0", echo_or_much, NULL);
    cord_socket good = dial(served.address), sockets[CLIENTS];
    exchange(good, "a");
    for (int i = 0; i < CLIENTS; i++) {
        sockets[i] = dial(served.address);
        if (i % 4 == 1)
            exchange(sockets[i], "x");
        if (i % 4 == 2)
            say(sockets[i], "m"); /* it does not read that */
        if (i % 4 == 3)
            ok(cord_shutdown(sockets[i], SHUT_WR));
    }
    for (int i = 0; i < CLIENTS; i++)
        reset(&sockets[i]);
    exchange(good, "b");
    eventually(all_gone_but_one, &served);
    exchange(good, "c");
    hang_up(&good);
    echo_once(served.address);
    stop(&served);
}

KIND_TEST(half_close_at_once_and_byte_by_byte_are_served)
{
    struct served served = serve("tcp:127.0.0.1:0", echo, NULL);
    cord_socket socket = dial(served.address);
    ok(cord_shutdown(socket, SHUT_WR));
    hears_end(socket);
    cord_close(&socket);
    socket = dial(served.address);
    for (int i = 0; i < 200; i++)
        exchange(socket, "x");
    for (int i = 0; i < 200; i++)
        say(socket, "y");
    ok(cord_shutdown(socket, SHUT_WR));
    for (int i = 0; i < 200; i++)
        hears(socket, "y");
    hears_end(socket);
    cord_close(&socket);
    eventually(none_active, &served);
    is((long)counts(&served).failed, 0);
    stop(&served);
}

/* Some say nothing, some stop in the middle, some do not read; then the server ends them. */
LOOP_KINDS_TEST(three_hundred_slow_clients_do_not_delay_a_good_one)
{
    enum { MOST = 300 };
    static cord_socket slow_ones[MOST];
    int clients = under_valgrind() || kind == CORD_PROCESS ? 40 : MOST;
    struct served served =
        serve("tcp:127.0.0.1:0", echo_or_much, &(cord_server_options){ .max_connections = MOST + 1 });
    for (int i = 0; i < clients; i++) {
        slow_ones[i] = dial(served.address);
        if (i % 3 == 1)
            exchange(slow_ones[i], "x");
        if (i % 30 == 2)
            say(slow_ones[i], "m");
    }
    cord_socket good = dial(served.address);
    int64_t before = cord_now();
    for (int i = 0; i < 50; i++)
        exchange(good, "x");
    ck_assert_int_lt(cord_now() - before, 5 * slow() * CORD_SECOND);
    is((long)counts(&served).active, clients + 1);
    hang_up(&good);
    is(cord_server_stop(served.server, 0), 0);
    finish(&served, 0);
    for (int i = 0; i < clients; i++)
        cord_close(&slow_ones[i]);
    ck_assert_msg(log_lines == 0, "%s", log_text);
}

/* ---- families ---- */

static int echo_either(cord_request *request)
{
    return request->data ? (int)cord_reply(request, request->data, request->size) : echo(request);
}

/* From an address of its own, which the reply goes to. */
static void datagram_once(const char *address, const char *mine)
{
    cord_socket socket = { 0 };
    cord_address to;
    char in[16];
    ok(cord_address_parse(&to, address));
    ok(cord_listen(&socket, mine, NULL));
    is(cord_send_to(socket, "hello", 5, &to, soon()), 5);
    is(cord_recv(socket, in, sizeof in, soon()), 5);
    ck_assert_mem_eq(in, "hello", 5);
    cord_close(&socket);
}

static const char *with_temp(char buf[CORD_ADDRESS_TEXT], const char *transport, const char *name)
{
    snprintf(buf, CORD_ADDRESS_TEXT, "%s:%s/%s", transport, temp_dir(), name);
    return buf;
}

KIND_TEST(listeners_of_all_families_are_served_at_once)
{
    char stream[CORD_ADDRESS_TEXT], gram[CORD_ADDRESS_TEXT], mine[CORD_ADDRESS_TEXT], text[CORD_ADDRESS_TEXT];
    const char *more[] = { with_temp(stream, "unix", "s"), with_temp(gram, "unixgram", "g"), "udp:127.0.0.1:0",
                           "tcp:[::1]:0", NULL };
    cord_socket probe = { 0 };
    cord_address local;
    bool has_six = cord_listen(&probe, "tcp:[::1]:0", NULL) == 0;
    cord_close(&probe);
    if (!has_six)
        more[3] = NULL;
    struct served served = serve("tcp:127.0.0.1:0", echo_either, &(cord_server_options){ .addresses = more });
    for (int i = 0; i < 3; i++) {
        echo_once(served.address);
        echo_once(stream);
        datagram_once(gram, with_temp(mine, "unixgram", "m"));
        ok(cord_server_address(served.server, 3, &local));
        datagram_once(cord_address_text(&local, text, sizeof text), "udp:127.0.0.1:0");
        if (has_six) {
            ok(cord_server_address(served.server, 4, &local));
            echo_once(cord_address_text(&local, text, sizeof text));
        }
    }
    eventually(none_active, &served);
    is((long)counts(&served).accepted, has_six ? 15 : 12);
    is((long)counts(&served).failed, 0);
    stop(&served);
    is(access(stream + strlen("unix:"), F_OK), -1);
    is(log_lines, 0);
}

int main(void)
{
    return run_tests("server_defence", PARALLEL(connections_of_one_peer_are_bounded),
                     PARALLEL(peer_without_refusal_text_sees_the_end),
                     PARALLEL(connections_beyond_the_limit_are_refused_with_the_text),
                     PARALLEL(client_that_speaks_gets_the_refusal_too), PARALLEL(without_a_refusal_text_they_wait),
                     KINDS(client_that_says_nothing_is_cut_off), KINDS(client_that_falls_silent_is_cut_off),
                     KINDS(client_that_does_not_read_is_cut_off), KINDS(client_that_takes_too_long_is_cut_off),
                     PARALLEL(clients_that_reset_cost_only_their_connection),
                     KINDS(half_close_at_once_and_byte_by_byte_are_served),
                     PARALLEL(three_hundred_slow_clients_do_not_delay_a_good_one),
                     KINDS(listeners_of_all_families_are_served_at_once), END);
}
