/* tests/server_hooks.c - a server's hooks, the memory of a request, one request at a time, and threads that are kept.
 */
#include "serving.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static int handle_either(cord_request *request)
{
    struct seen *seen = request->state;
    atomic_fetch_add(&seen->now, 1);
    return request->data ? (int)cord_reply(request, request->data, request->size) : echo(request);
}

/* ---- verify ---- */

static int let_in(cord_request *request)
{
    struct seen *seen = request->state;
    bool known = request->peer.length && cord_address_port(&request->peer);
    return !known || atomic_load(&seen->fail) ? -EACCES : 0;
}

static bool one_refused(void *served)
{
    return counts(served).refused == 1;
}

KIND_TEST(verify_refuses_a_connection_which_sees_the_end)
{
    struct seen *seen = new_seen();
    struct served served =
        serve("tcp:127.0.0.1:0", handle_either, &(cord_server_options){ .state = seen, .verify = let_in });
    echo_once(served.address);
    atomic_store(&seen->fail, 1);
    cord_socket socket = dial(served.address);
    hears_end(socket);
    hang_up(&socket);
    is((long)counts(&served).refused, 1);
    atomic_store(&seen->fail, 0);
    echo_once(served.address);
    eventually(none_active, &served);
    is((long)counts(&served).accepted, 2);
    is((long)counts(&served).failed, 0);
    is(seen->now, 2);
    stop(&served);
    is(log_lines, 0);
    free_seen(seen);
}

KIND_TEST(verify_drops_a_datagram)
{
    struct seen *seen = new_seen();
    struct served served =
        serve("udp:127.0.0.1:0", handle_either, &(cord_server_options){ .state = seen, .verify = let_in });
    cord_socket socket = dial(served.address);
    char in[8];
    atomic_store(&seen->fail, 1);
    is(cord_send(socket, "bad", 3, soon()), 3);
    eventually(one_refused, &served);
    atomic_store(&seen->fail, 0);
    is(cord_send(socket, "good", 4, soon()), 4);
    is(cord_recv(socket, in, sizeof in, soon()), 4); /* an answer to the first would have come first */
    ck_assert_mem_eq(in, "good", 4);
    cord_close(&socket);
    eventually(none_active, &served);
    is((long)counts(&served).accepted, 1);
    is(seen->now, 1);
    stop(&served);
    free_seen(seen);
}

/* ---- failed ---- */

static int fail_as_told(cord_request *request)
{
    char order = 0;
    ssize_t n = cord_recv(request->socket, &order, 1, CORD_FOREVER);
    if (order == 'k')
        kill(getpid(), SIGKILL);
    return order == '!' ? -EPROTO : (int)n;
}

static void note_failed(const cord_request *request, int rc, const char *sentence)
{
    struct seen *seen = request->state;
    seen->answer = rc;
    seen->step[0] = getpid();
    seen->step[1] = (int)cord_address_port(&request->peer);
    snprintf(seen->text, sizeof seen->text, "%s", sentence);
    atomic_fetch_add(&seen->fail, 1);
}

static bool failed_once(void *seen)
{
    return atomic_load(&((struct seen *)seen)->fail) == 1;
}

/* The hook is told in this process, and nothing is logged. */
static void expect_failed(const char *order, bool per_connection, int rc, const char *words)
{
    struct seen *seen = new_seen();
    cord_server_options how = { .state = seen, .failed = note_failed, .per_connection = per_connection };
    struct served served = serve("tcp:127.0.0.1:0", fail_as_told, &how);
    cord_socket socket = dial(served.address);
    cord_address mine;
    ok(cord_local(socket, &mine));
    say(socket, order);
    eventually(failed_once, seen);
    is(seen->answer, rc);
    is(seen->step[0], getpid());
    is(seen->step[1], (int)cord_address_port(&mine));
    ck_assert_msg(strstr(seen->text, words), "%s", seen->text);
    hang_up(&socket);
    socket = dial(served.address);
    say(socket, ".");
    hears_end(socket); /* it goes on */
    hang_up(&socket);
    eventually(none_active, &served);
    is(seen->fail, 1);
    is((long)counts(&served).failed, 1);
    stop(&served);
    is(log_lines, 0);
    free_seen(seen);
}

KIND_TEST(failed_is_told_in_place_of_the_log)
{
    expect_failed("!", false, -EPROTO, "rotocol error");
}

PROCESS_TEST(failed_is_told_of_a_child_per_connection)
{
    expect_failed("!", true, -EPROTO, "rotocol error");
}

PROCESS_TEST(failed_is_told_of_a_crash)
{
    expect_failed("k", false, -EOWNERDEAD, "signal 9");
    expect_failed("k", true, -EOWNERDEAD, "signal 9");
}

/* ---- idled ---- */

static void note_idled(cord_server *server, void *state)
{
    struct seen *seen = state;
    ck_assert_ptr_nonnull(server);
    atomic_fetch_add(&seen->answer, 1);
}

static bool idled_thrice(void *seen)
{
    return atomic_load(&((struct seen *)seen)->answer) >= 3;
}

KIND_TEST(idled_is_called_again_and_again_in_a_lull)
{
    struct seen *seen = new_seen();
    cord_server_options how = { .state = seen, .idled = note_idled, .lull = 10 * CORD_MILLISECOND };
    struct served served = serve("tcp:127.0.0.1:0", handle_either, &how);
    eventually(idled_thrice, seen);
    echo_once(served.address);
    atomic_store(&seen->answer, 0);
    eventually(idled_thrice, seen);
    stop(&served);
    free_seen(seen);
}

static void stop_when_idle(cord_server *server, void *state)
{
    (void)state;
    is(cord_server_stop(server, CORD_HOUR), 0);
}

KIND_TEST(idled_may_stop_the_server)
{
    struct seen *seen = new_seen();
    cord_server_options how = { .state = seen, .idled = stop_when_idle, .lull = 200 * CORD_MILLISECOND };
    struct served served = serve("tcp:127.0.0.1:0", handle_either, &how);
    finish(&served, 0);
    free_seen(seen);
}

/* For two lulls; the longest time from one to the end of the next. */
static cord_span keep_coming(const char *address, cord_span lull)
{
    cord_span longest = 0;
    int64_t end = cord_now() + 2 * lull, last = cord_now();
    while (last < end) {
        echo_once(address);
        int64_t now = cord_now();
        longest = now - last > longest ? now - last : longest;
        last = now;
    }
    return longest;
}

KIND_TEST(idled_is_not_called_while_requests_keep_coming)
{
    const cord_span lull = CORD_SECOND / 2;
    struct seen *seen = new_seen();
    cord_server_options how = { .state = seen, .idled = note_idled, .lull = lull };
    struct served served = serve("tcp:127.0.0.1:0", handle_either, &how);
    int called;
    do { /* again where this process itself did not come round */
        echo_once(served.address);
        called = atomic_load(&seen->answer);
    } while (keep_coming(served.address, lull) > lull / 4);
    is(seen->answer, called);
    eventually(idled_thrice, seen);
    stop(&served);
    free_seen(seen);
}

/* ---- the order of all, and a request's own memory ---- */

static void note_opened(const cord_request *request)
{
    note(request->state, 1);
}

static int note_setup(cord_request *request)
{
    note(request->state, 2);
    return 0;
}

static int note_handle(cord_request *request)
{
    struct seen *seen = request->state;
    note(seen, 3);
    return seen->fail ? -EPROTO : 0;
}

static int note_finish(cord_request *request)
{
    note(request->state, 4);
    return 0;
}

static void note_closed(const cord_request *request, int rc)
{
    struct seen *seen = request->state;
    note(seen, 5);
    seen->answer = rc;
}

static void expect_order(bool per_connection)
{
    struct seen *seen = new_seen();
    cord_server_options how = { .state = seen,
                                .per_connection = per_connection,
                                .opened = note_opened,
                                .setup = note_setup,
                                .finish = note_finish,
                                .closed = note_closed,
                                .quiet = true };
    struct served served = serve("tcp:127.0.0.1:0", note_handle, &how);
    for (int fail = 0; fail <= 1; fail++) {
        seen->count = 0;
        seen->fail = fail;
        cord_socket socket = dial(served.address);
        hears_end(socket);
        hang_up(&socket);
        is(seen->count, 5); /* the end comes after them */
        for (int i = 0; i < 5; i++)
            is(seen->step[i], i + 1);
        is(seen->answer, fail ? -EPROTO : 0);
    }
    stop(&served);
    free_seen(seen);
}

KIND_TEST(hooks_run_in_order_also_when_handle_fails)
{
    expect_order(false);
    if (kind == CORD_PROCESS)
        expect_order(true);
}

enum { USER = 5000 };

static int spoil_user_bytes(cord_request *request)
{
    unsigned char *user = request->user, sum = 0;
    for (size_t i = 0; i < USER; i++)
        sum |= user[i];
    memset(user, 0xff, USER);
    if (request->data)
        return (int)cord_reply(request, sum ? "bad" : "good", sum ? 3 : 4);
    return (int)cord_send_all(request->socket, sum ? "bad " : "good", 4, CORD_FOREVER);
}

KIND_TEST(user_bytes_are_zeroed_for_each_request)
{
    const char *more[] = { "udp:127.0.0.1:0", NULL };
    cord_server_options how = { .user_size = USER, .max_connections = 1, .addresses = more };
    struct served served = serve("tcp:127.0.0.1:0", spoil_user_bytes, &how);
    char udp[CORD_ADDRESS_TEXT], in[8];
    cord_address local;
    ok(cord_server_address(served.server, 1, &local));
    cord_socket datagrams = dial(cord_address_text(&local, udp, sizeof udp));
    for (int i = 0; i < 10; i++) {
        cord_socket socket = dial(served.address);
        hears(socket, "good");
        hears_end(socket);
        hang_up(&socket);
        is(cord_send(datagrams, "?", 1, soon()), 1);
        is(cord_recv(datagrams, in, sizeof in, soon()), 4);
    }
    cord_close(&datagrams);
    stop(&served);
}

/* ---- one request at a time ---- */

static cord_server *open_one(const char *address, struct seen *seen, char text[CORD_ADDRESS_TEXT])
{
    cord_server *server;
    cord_address local;
    cord_log_set(collect);
    ok(cord_server_open(&server, address, handle_either, &(cord_server_options){ .kind = kind, .state = seen }));
    ok(cord_server_address(server, 0, &local));
    cord_address_text(&local, text, CORD_ADDRESS_TEXT);
    return server;
}

static cord_server_counts counts_of(const cord_server *server)
{
    cord_server_counts now;
    cord_server_stats(server, &now);
    return now;
}

KIND_TEST(run_one_takes_one_connection_and_leaves_the_next)
{
    enum { CLIENTS = 3 };
    char address[CORD_ADDRESS_TEXT];
    struct seen *seen = new_seen();
    cord_server *server = open_one("tcp:127.0.0.1:0", seen, address);
    cord_socket sockets[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        sockets[i] = dial(address);
        say(sockets[i], "hello");
        ok(cord_shutdown(sockets[i], SHUT_WR));
    }
    for (int i = 0; i < CLIENTS; i++) {
        is(cord_server_run_one(server, i == 1 ? CORD_NOWAIT : soon()), 0);
        is((long)counts_of(server).accepted, i + 1);
        is((long)counts_of(server).active, 0); /* it was waited for */
        is(seen->now, i + 1);
        hears(sockets[i], "hello");
        hears_end(sockets[i]);
        cord_close(&sockets[i]);
    }
    is(cord_server_run_one(server, CORD_NOWAIT), -EAGAIN);
    cord_server_close(server);
    is(log_lines, 0);
    free_seen(seen);
}

KIND_TEST(run_one_takes_one_datagram_and_leaves_the_next)
{
    char address[CORD_ADDRESS_TEXT], in[8];
    struct seen *seen = new_seen();
    cord_server *server = open_one("udp:127.0.0.1:0", seen, address);
    cord_socket socket = dial(address);
    is(cord_send(socket, "one", 3, soon()), 3);
    is(cord_send(socket, "second", 6, soon()), 6);
    is(cord_server_run_one(server, soon()), 0);
    is(cord_recv(socket, in, sizeof in, soon()), 3);
    is(cord_recv(socket, in, sizeof in, CORD_NOWAIT), -EAGAIN);
    is(seen->now, 1);
    is(cord_server_run_one(server, soon()), 0);
    is(cord_recv(socket, in, sizeof in, soon()), 6);
    is(cord_server_run_one(server, CORD_NOWAIT), -EAGAIN);
    cord_close(&socket);
    cord_server_close(server);
    free_seen(seen);
}

KIND_TEST(run_one_without_a_request_answers_etimedout_or_eagain)
{
    char address[CORD_ADDRESS_TEXT];
    struct seen *seen = new_seen();
    cord_server *server = open_one("tcp:127.0.0.1:0", seen, address);
    is(cord_server_run_one(server, CORD_NOWAIT), -EAGAIN);
    int64_t before = cord_now();
    is(cord_server_run_one(server, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_ge(cord_now() - before, 20 * CORD_MILLISECOND);
    ck_assert_msg(strstr(cord_error_detail(), "no request"), "%s", cord_error_detail());
    cord_socket socket = dial(address); /* it still serves */
    ok(cord_shutdown(socket, SHUT_WR));
    is(cord_server_run_one(server, soon()), 0);
    hears_end(socket);
    cord_close(&socket);
    cord_server_close(server);
    free_seen(seen);
}

static int stop_it(void *server)
{
    return cord_server_stop(server, 0);
}

static int run_one(void *server)
{
    return cord_server_run_one(server, CORD_FOREVER);
}

KIND_TEST(run_one_of_a_stopped_server_answers_0)
{
    char address[CORD_ADDRESS_TEXT], byte;
    struct seen *seen = new_seen();
    cord_task *waiting, *stopping;
    cord_server *server = open_one("tcp:127.0.0.1:0", seen, address);
    ok(cord_task_start(&waiting, run_one, server, 0, &(cord_task_options){ .kind = CORD_THREAD }));
    ok(cord_task_start(&stopping, stop_it, server, 0, &(cord_task_options){ .kind = CORD_THREAD }));
    join(waiting, 0);
    join(stopping, 0);
    is(cord_server_run_one(server, CORD_FOREVER), 0);
    cord_server_close(server);

    server = open_one("tcp:127.0.0.1:0", seen, address);
    cord_socket socket = dial(address);
    is(cord_server_stop(server, 0), 0);
    is(cord_server_run_one(server, CORD_FOREVER), 0);
    is(cord_recv(socket, &byte, 1, soon()), -ECONNRESET);
    cord_close(&socket);
    is((long)counts_of(server).accepted, 0);
    cord_server_close(server);
    is(seen->now, 0);
    free_seen(seen);
}

/* ---- threads ---- */

static int tell_thread(cord_request *request)
{
    ssize_t n = cord_sendf(request->socket, CORD_FOREVER, "%d\n", cord_task_thread_id(cord_task_self()));
    return n < 0 ? (int)n : echo(request);
}

static int hear_thread(cord_socket socket)
{
    char line[64];
    ok(cord_read_line(socket, line, sizeof line, soon()));
    return atoi(line);
}

PLAIN_TEST(connections_one_after_the_other_share_a_thread)
{
    kind = CORD_THREAD;
    struct served served = serve("tcp:127.0.0.1:0", tell_thread, NULL);
    int first = 0;
    for (int i = 0; i < 200; i++) {
        cord_socket socket = dial(served.address);
        int thread = hear_thread(socket);
        hang_up(&socket);
        first = first ? first : thread;
        is(thread, first);
        eventually(none_active, &served);
    }
    stop(&served);
}

/* Where `number` is in the list, which it enters if it has room. */
static void enter(int *list, int room, int number)
{
    int at = 0;
    while (at < room && list[at] && list[at] != number)
        at++;
    ck_assert_int_lt(at, room);
    list[at] = number;
}

PLAIN_TEST(connections_at_one_time_have_a_thread_each_and_no_more)
{
    enum { CLIENTS = 60, MOST = 3 };
    kind = CORD_THREAD;
    struct served served = serve("tcp:127.0.0.1:0", tell_thread, &(cord_server_options){ .max_connections = MOST });
    cord_socket sockets[CLIENTS];
    int threads[MOST] = { 0 };
    for (int i = 0; i < CLIENTS; i++)
        sockets[i] = dial(served.address);
    for (int i = 0; i < MOST; i++)
        enter(threads, MOST, hear_thread(sockets[i]));
    ck_assert_int_ne(threads[MOST - 1], 0); /* while all of them were open */
    for (int i = 0; i < CLIENTS; i++) {
        hang_up(&sockets[i]);
        if (i + MOST < CLIENTS)
            enter(threads, MOST, hear_thread(sockets[i + MOST]));
    }
    stop(&served);
}

int main(void)
{
    return run_tests(
        "server_hooks", KINDS(verify_refuses_a_connection_which_sees_the_end), KINDS(verify_drops_a_datagram),
        KINDS(failed_is_told_in_place_of_the_log), PROCESSES(failed_is_told_of_a_child_per_connection),
        PROCESSES(failed_is_told_of_a_crash), KINDS(idled_is_called_again_and_again_in_a_lull),
        KINDS(idled_may_stop_the_server), KINDS(idled_is_not_called_while_requests_keep_coming),
        KINDS(hooks_run_in_order_also_when_handle_fails), KINDS(user_bytes_are_zeroed_for_each_request),
        KINDS(run_one_takes_one_connection_and_leaves_the_next), KINDS(run_one_takes_one_datagram_and_leaves_the_next),
        KINDS(run_one_without_a_request_answers_etimedout_or_eagain), KINDS(run_one_of_a_stopped_server_answers_0),
        PLAIN(connections_one_after_the_other_share_a_thread),
        PLAIN(connections_at_one_time_have_a_thread_each_and_no_more), END);
}
