/* tests/server_stop.c - stopping a server, from everywhere and in every kind, and cancelling who serves. */
#include "serving.h"

#include <errno.h>
#include <unistd.h>

KIND_TEST(idle_server_stops_at_once)
{
    struct served served = serve("tcp:127.0.0.1:0", echo, NULL);
    echo_once(served.address);
    int64_t before = cord_now();
    is(cord_server_stop(served.server, CORD_HOUR), 0);
    finish(&served, 0);
    ck_assert_int_lt(cord_now() - before, 5 * CORD_SECOND);
}

KIND_TEST(stop_before_run_is_not_lost)
{
    cord_server *server;
    ok(cord_server_open(&server, "tcp:127.0.0.1:0", echo, &(cord_server_options){ .kind = kind }));
    is(cord_server_stop(server, 0), 0);
    is(cord_server_stop(server, 0), 0);
    cord_address local;
    char address[CORD_ADDRESS_TEXT];
    ok(cord_server_address(server, 0, &local));
    cord_socket waiting = dial(cord_address_text(&local, address, sizeof address));
    is(cord_server_run(server), 0);
    char byte;
    is(cord_recv(waiting, &byte, 1, soon()), -ECONNRESET); /* nobody will serve it */
    cord_close(&waiting);
    cord_server_close(server);
}

KIND_TEST(close_without_run_frees_all)
{
    cord_server *server;
    ok(cord_server_open(&server, "tcp:127.0.0.1:0", echo, &(cord_server_options){ .kind = kind }));
    cord_server_close(server);
    cord_server_close(NULL);
}

static int stop_and_answer(cord_request *request)
{
    char byte;
    ssize_t n = cord_recv(request->socket, &byte, 1, CORD_FOREVER);
    if (n == 1 && byte == 's')
        cord_server_stop(request->server, CORD_HOUR);
    if (n == 1)
        n = cord_send_all(request->socket, "bye", 3, CORD_FOREVER);
    return (int)n;
}

KIND_TEST(handler_stops_its_server_and_finishes)
{
    struct served served = serve("tcp:127.0.0.1:0", stop_and_answer, NULL);
    cord_socket socket = dial(served.address);
    say(socket, "x");
    hears(socket, "bye");
    hang_up(&socket);
    socket = dial(served.address);
    say(socket, "s");
    hears(socket, "bye");
    hears_end(socket);
    hang_up(&socket);
    finish(&served, 0);
    ck_assert_msg(log_lines == 0, "%s", log_text);
}

/* Tells that it has begun, then waits for its client. */
static int begin_and_echo(cord_request *request)
{
    struct seen *seen = request->state;
    ssize_t n = cord_send_all(request->socket, "begun", 5, CORD_FOREVER);
    if (n > 0)
        n = echo(request);
    seen->answer = (int)n;
    atomic_fetch_add(&seen->count, 1);
    return (int)n;
}

KIND_TEST(stop_lets_requests_finish_within_grace)
{
    struct seen *seen = new_seen();
    struct served served = serve("tcp:127.0.0.1:0", begin_and_echo, &(cord_server_options){ .state = seen });
    cord_socket socket = dial(served.address);
    hears(socket, "begun");
    is(cord_server_stop(served.server, CORD_HOUR), 0);
    if (kind != CORD_SERIAL) /* the server's task is in the handler */
        eventually(is_refused, served.address);
    say(socket, "still here");
    hears(socket, "still here");
    hang_up(&socket);
    finish(&served, 0);
    is(seen->count, 1);
    is(seen->answer, 0);
    ck_assert_msg(log_lines == 0, "%s", log_text);
    free_seen(seen);
}

KIND_TEST(stop_without_grace_ends_requests_under_way)
{
    struct seen *seen = new_seen();
    struct served served = serve("tcp:127.0.0.1:0", begin_and_echo, &(cord_server_options){ .state = seen });
    cord_socket sockets[3];
    int clients = kind == CORD_SERIAL ? 1 : 3;
    for (int i = 0; i < clients; i++) {
        sockets[i] = dial(served.address);
        hears(sockets[i], "begun");
    }
    is(cord_server_stop(served.server, 0), 0);
    finish(&served, 0);
    is(seen->count, clients);
    is(seen->answer, kind == CORD_SERIAL ? 0 : -ECANCELED); /* serial: the connection was shut down */
    for (int i = 0; i < clients; i++) {
        hears_end(sockets[i]);
        hang_up(&sockets[i]);
    }
    free_seen(seen);
}

KIND_TEST(stop_ends_requests_after_grace)
{
    struct seen *seen = new_seen();
    struct served served = serve("tcp:127.0.0.1:0", begin_and_echo, &(cord_server_options){ .state = seen });
    cord_socket socket = dial(served.address);
    hears(socket, "begun");
    int64_t before = cord_now();
    is(cord_server_stop(served.server, 50 * CORD_MILLISECOND), 0);
    finish(&served, 0);
    ck_assert_int_ge(cord_now() - before, 50 * CORD_MILLISECOND);
    is(seen->count, 1);
    hears_end(socket);
    hang_up(&socket);
    free_seen(seen);
}

KIND_TEST(shorter_grace_counts)
{
    struct seen *seen = new_seen();
    struct served served = serve("tcp:127.0.0.1:0", begin_and_echo, &(cord_server_options){ .state = seen });
    cord_socket socket = dial(served.address);
    hears(socket, "begun");
    is(cord_server_stop(served.server, CORD_HOUR), 0);
    is(cord_server_stop(served.server, 10 * CORD_MILLISECOND), 0);
    is(cord_server_stop(served.server, CORD_HOUR), 0);
    finish(&served, 0);
    is(seen->count, 1);
    hang_up(&socket);
    free_seen(seen);
}

LOOP_KINDS_TEST(stop_reaches_server_at_its_limit)
{
    struct seen *seen = new_seen();
    struct served served =
        serve("tcp:127.0.0.1:0", begin_and_echo, &(cord_server_options){ .state = seen, .max_connections = 1 });
    cord_socket first = dial(served.address), second = dial(served.address);
    hears(first, "begun");
    is(cord_server_stop(served.server, 0), 0);
    finish(&served, 0);
    is(seen->count, 1);
    hang_up(&first);
    hang_up(&second);
    free_seen(seen);
}

LOOP_KINDS_TEST(handler_stops_server_while_others_run)
{
    struct served served = serve("tcp:127.0.0.1:0", stop_and_answer, NULL);
    cord_socket idle = dial(served.address), other = dial(served.address);
    say(other, "s");
    hears(other, "bye");
    say(idle, "x");
    hears(idle, "bye");
    hang_up(&idle);
    hang_up(&other);
    finish(&served, 0);
}

/* Cancelling the task that serves, which is a coroutine or a thread here. */
struct serving {
    struct seen *seen;
    cord_server *server;
    cord_span grace;
};

static void cancel_serving(cord_kind of, cord_span grace)
{
    struct seen *seen = new_seen();
    cord_server_options how = { .kind = kind, .state = seen, .grace = grace };
    cord_server *server;
    cord_task *task;
    cord_address local;
    char address[CORD_ADDRESS_TEXT];
    cord_log_set(collect);
    ok(cord_server_open(&server, "tcp:127.0.0.1:0", begin_and_echo, &how));
    ok(cord_server_address(server, 0, &local));
    cord_address_text(&local, address, sizeof address);
    ok(cord_task_start(&task, run_server, server, 0, &(cord_task_options){ .kind = of }));
    cord_socket socket = dial(address);
    hears(socket, "begun");
    cord_task_cancel(task);
    if (grace > 0 && kind != CORD_SERIAL) {
        say(socket, "still here");
        hears(socket, "still here");
    }
    if (grace > 0)
        hang_up(&socket);
    join(task, -ECANCELED);
    is(seen->count, 1);
    cord_server_close(server);
    cord_close(&socket);
    ck_assert_msg(log_lines == 0, "%s", log_text);
    free_seen(seen);
}

KIND_TEST(cancel_of_serving_coroutine_ends_requests)
{
    cancel_serving(CORD_COROUTINE, 0);
}

KIND_TEST(cancel_of_serving_coroutine_lets_requests_finish_within_grace)
{
    cancel_serving(CORD_COROUTINE, CORD_HOUR);
}

PLAIN_TEST(cancel_of_serving_thread_ends_requests)
{
    kind = CORD_THREAD;
    cancel_serving(CORD_THREAD, 0);
}

PLAIN_TEST(cancel_of_serving_thread_ends_serial_request)
{
    kind = CORD_SERIAL;
    cancel_serving(CORD_THREAD, 0);
}

/* A server in a coroutine leaves its loop to others. */
static int tick(void *arg)
{
    atomic_int *ticks = arg;
    int rc;
    while ((rc = cord_sleep(CORD_MILLISECOND)) == 0)
        atomic_fetch_add(ticks, 1);
    return rc;
}

static bool has_ticked(void *arg)
{
    return atomic_load((atomic_int *)arg) > 5;
}

KIND_TEST(serving_coroutine_leaves_its_loop_to_others)
{
    static atomic_int ticks;
    cord_server *server;
    cord_task *task, *ticker;
    ok(cord_server_open(&server, "tcp:127.0.0.1:0", echo, &(cord_server_options){ .kind = kind }));
    ok(cord_task_start(&task, run_server, server, 0, NULL));
    ok(cord_task_start(&ticker, tick, &ticks, 0, NULL));
    eventually(has_ticked, &ticks);
    cord_task_cancel(ticker);
    join(ticker, -ECANCELED);
    is(cord_server_stop(server, 0), 0);
    join(task, 0);
    cord_server_close(server);
}

int main(void)
{
    return run_tests("server_stop", KINDS(idle_server_stops_at_once), KINDS(stop_before_run_is_not_lost),
                     KINDS(close_without_run_frees_all), KINDS(handler_stops_its_server_and_finishes),
                     KINDS(stop_lets_requests_finish_within_grace), KINDS(stop_without_grace_ends_requests_under_way),
                     KINDS(stop_ends_requests_after_grace), KINDS(shorter_grace_counts),
                     PARALLEL(stop_reaches_server_at_its_limit), PARALLEL(handler_stops_server_while_others_run),
                     KINDS(cancel_of_serving_coroutine_ends_requests),
                     KINDS(cancel_of_serving_coroutine_lets_requests_finish_within_grace),
                     PLAIN(cancel_of_serving_thread_ends_requests), PLAIN(cancel_of_serving_thread_ends_serial_request),
                     KINDS(serving_coroutine_leaves_its_loop_to_others), END);
}
