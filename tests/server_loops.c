/* tests/server_loops.c - servers and pools in a run of several loops. */
#include "loops.h"

struct service {
    cord_server *server;
    char address[CORD_ADDRESS_TEXT];
    _Atomic int threads[4]; /* that handled requests */
    _Atomic int failed;
};

static void note_handler(struct service *service)
{
    int thread = thread_id();
    for (int i = 0; i < 4; i++) {
        int free = 0;
        if (atomic_compare_exchange_strong(&service->threads[i], &free, thread) || free == thread)
            return;
    }
}

static int echo_and_note(cord_request *request)
{
    note_handler(request->state);
    return echo(request);
}

/* A client in a thread of its own: all connections at once, each with its own words, several times. */
static int speak_to_all(void *arg)
{
    struct service *service = arg;
    static cord_socket sockets[MANY];
    char text[64];
    for (int i = 0; i < MANY; i++)
        sockets[i] = dial(service->address);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < MANY; i++) {
            snprintf(text, sizeof text, "round %d of %d", round, i);
            say(sockets[i], text);
        }
        for (int i = 0; i < MANY; i++) {
            snprintf(text, sizeof text, "round %d of %d", round, i);
            hears(sockets[i], text);
        }
    }
    for (int i = 0; i < MANY; i++) {
        ok(cord_shutdown(sockets[i], SHUT_WR));
        hears_end(sockets[i]);
        cord_close(&sockets[i]);
    }
    is(cord_server_stop(service->server, CORD_SECOND), 0);
    return 0;
}

static void open_service(struct service *service, cord_handle *handle, cord_server_options options)
{
    cord_address local;
    options.state = service;
    ok(cord_server_open(&service->server, "tcp:127.0.0.1:0", handle, &options));
    ok(cord_server_address(service->server, 0, &local));
    cord_address_text(&local, service->address, sizeof service->address);
}

static int serve_and_speak(void *arg)
{
    struct service *service = arg;
    cord_task *client;
    open_service(service, echo_and_note, (cord_server_options){ 0 });
    ok(cord_task_start(&client, speak_to_all, service, 0, &(cord_task_options){ .kind = CORD_THREAD }));
    is(cord_server_run(service->server), 0);
    join(client, 0);
    cord_server_counts counts;
    cord_server_stats(service->server, &counts);
    is(counts.accepted, MANY);
    is(counts.active, 0);
    is(counts.failed, 0);
    cord_server_close(service->server);
    return 0;
}

LOOPS_TEST(server_spreads_connections_and_answers_each)
{
    struct service service = { 0 };
    is(run_on(LOOPS, serve_and_speak, &service), 0);
    ck_assert_int_ne(service.threads[0], 0);
    ck_assert_int_ne(service.threads[1], 0); /* long-lived connections are shared evenly, so both have some */
    is(service.threads[2], 0);
}

/* Once both are there, on a loop each, both stop the server. */
static struct {
    _Atomic int count;
    cord_event both;
} handlers;

static int meet_and_stop(cord_request *request)
{
    if (++handlers.count == 2)
        cord_event_set(&handlers.both);
    ok(cord_event_wait(&handlers.both, soon()));
    is(cord_server_stop(request->server, 5 * CORD_SECOND), 0);
    return (int)cord_send_all(request->socket, "bye", 3, soon());
}

static int hear_bye(void *arg)
{
    struct service *service = arg;
    cord_socket one = dial(service->address), two = dial(service->address);
    hears(one, "bye");
    hears(two, "bye");
    hears_end(one);
    hears_end(two);
    cord_close(&one);
    cord_close(&two);
    return 0;
}

static int serve_and_be_stopped(void *arg)
{
    struct service service = { 0 };
    cord_task *client;
    (void)arg;
    open_service(&service, meet_and_stop, (cord_server_options){ 0 });
    ok(cord_task_start(&client, hear_bye, &service, 0, &(cord_task_options){ .kind = CORD_THREAD }));
    is(cord_server_run(service.server), 0);
    join(client, 0);
    cord_server_close(service.server);
    return 0;
}

LOOPS_TEST(handlers_on_two_loops_stop_their_server)
{
    for (int round = 0; round < 10; round++) {
        handlers.count = 0;
        cord_event_clear(&handlers.both);
        is(run_on(LOOPS, serve_and_be_stopped, NULL), 0);
    }
}

/* With room for one, the end of a request on another loop lets the next one in. */
static int serve_one_at_a_time(void *arg)
{
    struct service service = { 0 };
    cord_task *client;
    (void)arg;
    open_service(&service, echo, (cord_server_options){ .max_connections = 1 });
    ok(cord_task_start(&client, run_server, service.server, 0, NULL));
    for (int i = 0; i < 50; i++)
        echo_once(service.address);
    is(cord_server_stop(service.server, 0), 0);
    join(client, 0);
    cord_server_close(service.server);
    return 0;
}

LOOPS_TEST(end_of_a_request_on_another_loop_makes_room)
{
    is(run_on(LOOPS, serve_one_at_a_time, NULL), 0);
}

static int square(const void *in, void *out)
{
    *(int *)out = *(const int *)in * *(const int *)in;
    return cord_sleep(10 * CORD_MICROSECOND);
}

static int map_all(void *arg)
{
    cord_pool *pool;
    int in[MANY], out[MANY];
    (void)arg;
    for (int i = 0; i < MANY; i++)
        in[i] = i;
    ok(cord_pool_new(&pool, &(cord_pool_options){ .workers = 8 }));
    ok(cord_pool_map(pool, CORD_BATCH(square, in, out, MANY), soon()));
    for (int i = 0; i < MANY; i++)
        is(out[i], i * i);
    cord_pool_free(pool);
    return 0;
}

LOOPS_TEST(pool_works_on_two_loops)
{
    is(run_on(LOOPS, map_all, NULL), 0);
}

int main(void)
{
    return run_tests("server_loops", LOOPS_OF(server_spreads_connections_and_answers_each),
                     LOOPS_OF(handlers_on_two_loops_stop_their_server),
                     LOOPS_OF(end_of_a_request_on_another_loop_makes_room), LOOPS_OF(pool_works_on_two_loops), END);
}
