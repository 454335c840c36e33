/* tests/server_datagram.c - servers of datagrams: each is a message of its own, also an empty one. */
#include "serving.h"

#include <errno.h>
#include <unistd.h>

/* Answers "SIZE TRUNCATED " and the datagram in upper case. */
static int shout(cord_request *request)
{
    static _Thread_local char buf[65600];
    int head = snprintf(buf, sizeof buf, "%zu %d ", request->size, request->truncated);
    size_t room = sizeof buf - (size_t)head, size = request->size < room ? request->size : room;
    memcpy(buf + head, request->data, size);
    cord_upper(buf + head, size);
    size_t whole = (size_t)head + size;
    return (int)cord_reply(request, buf, whole < 65507 ? whole : 65507);
}

/* Sends `size` letters and expects them back, in upper case, and the head. */
static void ask(cord_socket socket, size_t size, size_t want, bool truncated)
{
    static char out[65536], in[65536];
    char head[32];
    int length = snprintf(head, sizeof head, "%zu %d ", want, truncated);
    size_t back = (size_t)length + want < 65507 ? (size_t)length + want : 65507;
    memset(out, 'x', size);
    is(cord_send(socket, out, size, soon()), (long)size);
    is(cord_recv(socket, in, sizeof in, soon()), (long)back);
    ck_assert_mem_eq(in, head, (size_t)length);
    for (size_t i = (size_t)length; i < back; i++)
        ck_assert_int_eq(in[i], 'X');
}

KIND_TEST(udp_datagrams_are_answered_one_by_one)
{
    struct served served = serve("udp:127.0.0.1:0", shout, NULL);
    cord_socket socket = dial(served.address);
    static const size_t sizes[] = { 3, 0, 1, 1024, 1025, 9000, 65507, 0 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        ask(socket, sizes[i], sizes[i], false);
    cord_close(&socket);
    eventually(none_active, &served);
    is((long)counts(&served).accepted, 8);
    is((long)counts(&served).failed, 0);
    stop(&served);
    is(log_lines, 0);
}

KIND_TEST(longer_datagram_is_cut_and_marked)
{
    struct served served = serve("udp:127.0.0.1:0", shout, &(cord_server_options){ .max_datagram = 1000 });
    cord_socket socket = dial(served.address);
    ask(socket, 999, 999, false);
    ask(socket, 1000, 1000, false);
    ask(socket, 1001, 1000, true);
    ask(socket, 0, 0, false);
    cord_close(&socket);
    stop(&served);
}

KIND_TEST(unix_datagrams_are_answered)
{
    char path[CORD_ADDRESS_TEXT], mine[CORD_ADDRESS_TEXT];
    snprintf(path, sizeof path, "unixgram:%s/s", temp_dir());
    struct served served = serve(path, shout, NULL);
    snprintf(mine, sizeof mine, "unixgram:%s/c", temp_dir());
    cord_socket socket = { 0 };
    cord_address to;
    char in[64];
    ok(cord_listen(&socket, mine, NULL));
    ok(cord_address_parse(&to, path));
    for (int i = 0; i < 3; i++) {
        is(cord_send_to(socket, "abc", 3, &to, soon()), 3);
        is(cord_recv(socket, in, sizeof in, soon()), 7);
        ck_assert_mem_eq(in, "3 0 ABC", 7);
    }
    cord_close(&socket);
    stop(&served);
}

/* Sends `count` numbers, all at once or as a train, and expects each of them back, in any order. */
static void ask_all(cord_socket socket, int count, bool as_train)
{
    static char back[64][16];
    bool seen[100] = { false };
    char text[100 * 2];
    cord_datagram out[100], in[64];
    for (int i = 0; i < count; i++) {
        text[2 * i] = (char)('0' + i / 10);
        text[2 * i + 1] = (char)('0' + i % 10);
        out[i] = (cord_datagram){ .data = text + 2 * i, .size = 2 };
    }
    for (int i = 0; i < 64; i++)
        in[i] = (cord_datagram){ .data = back[i], .room = sizeof back[i] };
    if (as_train)
        out[0] = (cord_datagram){ .data = text, .size = (size_t)count * 2, .segment = 2 };
    is(cord_send_many(socket, out, as_train ? 1 : (size_t)count, soon()), as_train ? 1 : count);
    for (int came = 0, n; came < count; came += n) {
        ok(n = cord_recv_many(socket, in, 64, soon()));
        for (int i = 0; i < n; i++) {
            int number = -1;
            is((long)in[i].size, 6);
            ck_assert_int_eq(sscanf(in[i].data, "2 0 %2d", &number), 1);
            ck_assert(number >= 0 && number < count && !seen[number]);
            seen[number] = true;
        }
    }
}

KIND_TEST(datagrams_that_come_together_are_answered_one_by_one)
{
    for (uint32_t most = 0; most <= 5; most += 5) { /* 5: less than arrives in one go */
        struct served served = serve("udp:127.0.0.1:0", shout, &(cord_server_options){ .max_connections = most });
        cord_socket socket = dial(served.address);
        ask_all(socket, 100, false);
        cord_close(&socket);
        eventually(none_active, &served);
        is((long)counts(&served).accepted, 100);
        stop(&served);
    }
}

KIND_TEST(trains_are_answered_datagram_by_datagram)
{
    for (uint32_t most = 0; most <= 5; most += 5) {
        const cord_server_options how = { .max_connections = most, .max_datagram = 2, .listen.trains = true };
        struct served served = serve("udp:127.0.0.1:0", shout, &how);
        cord_socket socket = dial(served.address);
        ask_all(socket, 60, true);
        ask(socket, 3, 2, true);
        cord_close(&socket);
        eventually(none_active, &served);
        is((long)counts(&served).accepted, 61);
        stop(&served);
    }
}

static bool has_failed(void *served)
{
    return counts(served).failed == 1;
}

KIND_TEST(reply_to_unnamed_sender_fails_and_is_logged)
{
    char path[CORD_ADDRESS_TEXT];
    snprintf(path, sizeof path, "unixgram:%s/s", temp_dir());
    struct served served = serve(path, shout, NULL);
    cord_address to;
    ok(cord_address_parse(&to, path));
    int unbound = socket(AF_UNIX, SOCK_DGRAM, 0);
    is(sendto(unbound, "abc", 3, 0, (struct sockaddr *)(void *)to.raw, to.length), 3);
    eventually(has_failed, &served);
    close(unbound);
    stop(&served);
    ck_assert(log_has("unnamed"));
}

static int reply_on_connection(cord_request *request)
{
    return (int)cord_reply(request, "x", 1);
}

PLAIN_TEST(reply_on_a_connection_fails)
{
    kind = CORD_THREAD;
    struct served served = serve("tcp:127.0.0.1:0", reply_on_connection, NULL);
    cord_socket socket = dial(served.address);
    hears_end(socket);
    cord_close(&socket);
    stop(&served);
    ck_assert(log_has("cord_reply"));
}

/* Holds each datagram until the test lets go. */
static int hold(cord_request *request)
{
    struct seen *seen = request->state;
    atomic_fetch_add(&seen->now, 1);
    int rc = cord_event_wait(seen->go, CORD_FOREVER);
    return rc < 0 ? rc : (int)cord_reply(request, request->data, request->size);
}

static bool two_held(void *seen)
{
    return atomic_load(&((struct seen *)seen)->now) == 2;
}

LOOP_KINDS_TEST(datagrams_beyond_the_limit_wait_in_the_kernel)
{
    struct seen *seen = new_seen();
    struct served served =
        serve("udp:127.0.0.1:0", hold, &(cord_server_options){ .state = seen, .max_connections = 2 });
    cord_socket socket = dial(served.address);
    char buf[8];
    for (int i = 0; i < 5; i++)
        is(cord_send(socket, "abc", 3, soon()), 3);
    eventually(two_held, seen);
    is((long)counts(&served).active, 2);
    is((long)counts(&served).accepted, 2);
    cord_event_set(seen->go);
    for (int i = 0; i < 5; i++)
        is(cord_recv(socket, buf, sizeof buf, soon()), 3);
    cord_close(&socket);
    stop(&served);
    free_seen(seen);
}

static int either(cord_request *request)
{
    return request->data ? shout(request) : echo(request);
}

KIND_TEST(connections_and_datagrams_are_served_at_once)
{
    char path[CORD_ADDRESS_TEXT], udp[CORD_ADDRESS_TEXT];
    snprintf(path, sizeof path, "unix:%s/s", temp_dir());
    const char *more[] = { path, "udp:127.0.0.1:0", NULL };
    struct served served = serve("tcp:127.0.0.1:0", either, &(cord_server_options){ .addresses = more });
    cord_address local;
    ok(cord_server_address(served.server, 2, &local));
    cord_socket socket = dial(cord_address_text(&local, udp, sizeof udp));
    for (int i = 0; i < 3; i++) {
        echo_once(served.address);
        ask(socket, 10, 10, false);
        echo_once(path);
    }
    cord_close(&socket);
    stop(&served);
    is(log_lines, 0);
}

static int stop_and_reply(cord_request *request)
{
    cord_server_stop(request->server, CORD_HOUR);
    return (int)cord_reply(request, "bye", 3);
}

KIND_TEST(datagram_handler_stops_its_server)
{
    struct served served = serve("udp:127.0.0.1:0", stop_and_reply, NULL);
    cord_socket socket = dial(served.address);
    char bye[8];
    is(cord_send(socket, "x", 1, soon()), 1);
    is(cord_recv(socket, bye, sizeof bye, soon()), 3);
    cord_close(&socket);
    finish(&served, 0);
}

int main(void)
{
    return run_tests(
        "server_datagram", KINDS(udp_datagrams_are_answered_one_by_one), KINDS(longer_datagram_is_cut_and_marked),
        KINDS(unix_datagrams_are_answered), KINDS(reply_to_unnamed_sender_fails_and_is_logged),
        PLAIN(reply_on_a_connection_fails), PARALLEL(datagrams_beyond_the_limit_wait_in_the_kernel),
        KINDS(datagrams_that_come_together_are_answered_one_by_one), KINDS(trains_are_answered_datagram_by_datagram),
        KINDS(connections_and_datagrams_are_served_at_once), KINDS(datagram_handler_stops_its_server), END);
}
