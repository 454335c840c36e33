/* Sockets over streams: bytes, deadlines, closing, and the ways in which a connection ends. */
#include "netkit.h"

#include <stdlib.h>

static const char *const streams[] = { "tcp", "unix" };
#define EACH_STREAM(name) for (const char *const *name = streams; name < streams + 2; name++)

/* ---- bytes ---- */

static int echo_once(void *arg)
{
    cord_socket listener = *(cord_socket *)arg, socket = { 0 };
    char buf[100];
    int rc = cord_accept(listener, &socket, NULL, soon());
    ssize_t n = rc < 0 ? rc : cord_recv(socket, buf, sizeof buf, soon());
    if (n > 0)
        n = cord_send_all(socket, buf, (size_t)n, soon());
    cord_close(&socket);
    return (int)n;
}

MODE_TEST(echo_between_two_tasks)
{
    EACH_STREAM(transport)
    {
        char address[CORD_ADDRESS_TEXT];
        cord_socket listener = listen_anywhere(address, *transport), client = { 0 };
        cord_task *server = start(echo_once, &listener, sizeof listener);
        ok(cord_connect(&client, address, NULL, soon()));
        is(cord_send_all(client, "hello", 5, soon()), 5);
        received(client, "hello");
        received(client, "");
        join(server, 5);
        cord_close(&client);
        cord_close(&listener);
    }
}

MODE_TEST(recv_of_nothing_asked_for_is_0)
{
    cord_socket pair[2];
    char byte;
    connected_pair(pair);
    is(cord_recv(pair[0], &byte, 0, CORD_FOREVER), 0);
    is(cord_send(pair[0], &byte, 0, CORD_FOREVER), 0);
    is(cord_send_all(pair[0], &byte, 0, CORD_FOREVER), 0);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

MODE_TEST(send_without_reader_is_partial)
{
    cord_socket pair[2];
    connected_pair(pair);
    size_t size = 64u << 20;
    char *block = calloc(1, size);
    ssize_t sent = cord_send(pair[0], block, size, soon());
    ck_assert_int_gt(sent, 0);
    ck_assert_int_lt(sent, (ssize_t)size);
    free(block);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

MODE_TEST(sendf_and_vector_arrive_whole)
{
    cord_socket pair[2];
    connected_pair(pair);
    char *big = calloc(1, 70001), *got = calloc(1, 70001);
    memset(big, 'x', 65536);
    is(cord_sendf(pair[0], soon(), "%s-%d", "a", 7), 3);
    received(pair[1], "a-7");
    is(cord_sendf(pair[0], soon(), "%s", big), 65536);
    is(cord_socket_sent(), 65536);
    is(cord_read_exact(pair[1], got, 65536, soon()), 65536);
    ck_assert(memcmp(got, big, 65536) == 0);
    big[65536] = 'x';
    is(cord_sendf(pair[0], soon(), "%s", big), -EMSGSIZE);
    struct iovec pieces[1025] = { { "", 0 }, { "he", 2 }, { "", 0 }, { "llo", 3 } };
    is(cord_send_vector(pair[0], pieces, 4, soon()), 5);
    received(pair[1], "hello");
    is(cord_send_vector(pair[0], pieces, 0, soon()), 0);
    is(cord_send_vector(pair[0], pieces, 1025, soon()), -EINVAL);
    free(big);
    free(got);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

/* More pieces than the socket takes at once: the rest goes on in the middle of one. */
static int send_pieces(void *arg)
{
    static char block[300000];
    struct iovec pieces[40];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i * 7 / 5);
    for (size_t i = 0; i < 40; i++)
        pieces[i] = (struct iovec){ block + i * 7500, 7500 };
    ssize_t rc = cord_send_vector(*(cord_socket *)arg, pieces, 40, soon());
    return (int)rc;
}

MODE_TEST(send_vector_goes_on_after_a_part)
{
    cord_socket pair[2];
    connected_pair(pair);
    ok(cord_option_set(pair[0], CORD_SEND_BUFFER, 8192));
    ok(cord_option_set(pair[1], CORD_RECV_BUFFER, 8192));
    cord_task *sender = start(send_pieces, &pair[0], sizeof pair[0]);
    char *got = malloc(300000);
    is(cord_read_exact(pair[1], got, 300000, soon()), 300000);
    for (size_t i = 0; i < 300000; i++)
        ck_assert_int_eq(got[i], (char)(i * 7 / 5));
    join(sender, 300000);
    free(got);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

/* ---- deadlines ---- */

MODE_TEST(deadline_passes_at_each_call)
{
    EACH_STREAM(transport)
    {
        char address[CORD_ADDRESS_TEXT], byte, *block = calloc(1, 1 << 20);
        cord_socket pair[2], none = { 0 };
        pair_over(*transport, pair);
        cord_socket listener = listen_anywhere(address, *transport);
        int64_t begun = cord_now();
        is(cord_recv(pair[0], &byte, 1, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
        sentence_has("timed out");
        is(cord_accept(listener, &none, NULL, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
        fill(pair[0]);
        is(cord_send(pair[0], block, 1, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
        is(cord_send_all(pair[0], block, 1 << 20, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
        ck_assert_int_ge(cord_now() - begun, 4 * 30 * CORD_MILLISECOND);
        ck_assert_int_lt(cord_now() - begun, 5 * CORD_SECOND);
        is(cord_recv(pair[0], &byte, 1, CORD_NOWAIT), -EAGAIN);
        is(cord_send(pair[0], block, 1, CORD_NOWAIT), -EAGAIN);
        is(cord_accept(listener, &none, NULL, CORD_NOWAIT), -EAGAIN);
        is(cord_recv(pair[0], &byte, 1, cord_in(-1)), -ETIMEDOUT);
        is(cord_recv(pair[1], &byte, 1, cord_in(-1)), 1); /* what is there is given also after the deadline */
        cord_close(&pair[0]);
        cord_close(&pair[1]);
        cord_close(&listener);
        free(block);
    }
}

/* With its queue full a listener takes no more: tcp drops the request, unix says to come again. */
MODE_TEST(connect_deadline_passes_when_the_queue_is_full)
{
    EACH_STREAM(transport)
    {
        char address[CORD_ADDRESS_TEXT];
        cord_socket first = listen_anywhere(address, *transport), listener = { 0 }, clients[8] = { { 0 } };
        cord_close(&first);
        ok(cord_listen(&listener, address, &(cord_listen_options){ .backlog = 1 }));
        int count = 0, rc = 0;
        int64_t begun = 0;
        while (count < 8 && rc == 0) {
            begun = cord_now();
            rc = cord_connect(&clients[count], address, NULL, cord_in(200 * CORD_MILLISECOND));
            count += rc == 0;
        }
        is(rc, -ETIMEDOUT);
        sentence_has(address);
        ck_assert_int_ge(cord_now() - begun, 200 * CORD_MILLISECOND);
        ck_assert_int_lt(cord_now() - begun, 3 * CORD_SECOND);
        is(cord_connect(&clients[7], address, NULL, CORD_NOWAIT), -EAGAIN);
        while (count > 0)
            cord_close(&clients[--count]);
        cord_close(&listener);
    }
}

MODE_TEST(default_timeout_bounds_forever_only)
{
    cord_socket pair[2];
    char byte;
    connected_pair(pair);
    ok(cord_socket_timeout(pair[0], 30 * CORD_MILLISECOND));
    is(cord_recv(pair[0], &byte, 1, CORD_FOREVER), -ETIMEDOUT);
    is(cord_read_line(pair[0], &byte, 1, CORD_FOREVER), -ETIMEDOUT);
    is(cord_recv(pair[0], &byte, 1, CORD_NOWAIT), -EAGAIN);
    int64_t begun = cord_now();
    is(cord_recv(pair[0], &byte, 1, cord_in(100 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_ge(cord_now() - begun, 100 * CORD_MILLISECOND);
    is(cord_socket_timeout(pair[0], -1), -EINVAL);
    ok(cord_socket_timeout(pair[0], 0));
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

/* ---- closing ---- */

MODE_TEST(use_after_close_never_reaches_the_next_socket)
{
    cord_socket pair[2], again[2], old;
    char byte;
    int64_t value;
    cord_address address;
    connected_pair(pair);
    old = pair[0];
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    ck_assert_uint_eq(pair[0].id, 0);
    connected_pair(again); /* takes the same slots and descriptors */
    ck_assert_uint_ne(again[0].id, old.id);
    is(cord_send_all(again[1], "x", 1, soon()), 1);
    is(cord_recv(old, &byte, 1, soon()), -EBADF);
    sentence_is("the socket is closed");
    is(cord_recv_from(old, &byte, 1, NULL, NULL, soon()), -EBADF);
    is(cord_send(old, "y", 1, soon()), -EBADF);
    is(cord_send_all(old, "y", 1, soon()), -EBADF);
    is(cord_read_line(old, &byte, 1, soon()), -EBADF);
    is(cord_write(old, "y", 1, soon()), -EBADF);
    is(cord_accept(old, &pair[0], NULL, soon()), -EBADF);
    is(cord_shutdown(old, SHUT_RDWR), -EBADF);
    is(cord_fileno(old), -EBADF);
    is(cord_local(old, &address), -EBADF);
    is(cord_peer(old, &address), -EBADF);
    is(cord_option_get(old, CORD_NO_DELAY, &value), -EBADF);
    is(cord_socket_timeout(old, 1), -EBADF);
    cord_socket copy = old;
    cord_close(&copy); /* a stale copy closes nothing */
    is(cord_detach(&old), -EBADF);
    received(again[0], "x");
    is(cord_recv((cord_socket){ 0 }, &byte, 1, soon()), -EBADF);
    sentence_is("no socket");
    cord_close(&again[0]);
    cord_close(&again[0]);
    cord_close(&again[1]);
    cord_close(NULL);
}

MODE_TEST(close_gives_the_descriptor_back)
{
    int before = open_fds();
    cord_socket pair[2];
    connected_pair(pair);
    ck_assert_int_eq(open_fds(), before + 2);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    ck_assert_int_eq(open_fds(), before);
}

/* ---- how a connection ends ---- */

MODE_TEST(peer_closes_recv_0_then_epipe)
{
    EACH_STREAM(transport)
    {
        cord_socket pair[2];
        pair_over(*transport, pair);
        is(cord_send_all(pair[1], "last", 4, soon()), 4);
        cord_close(&pair[1]);
        received(pair[0], "last");
        received(pair[0], "");
        received(pair[0], ""); /* and again */
        ssize_t rc;
        int64_t end = cord_now() + 5 * CORD_SECOND;
        while ((rc = cord_send(pair[0], "x", 1, soon())) == 1 && cord_now() < end) /* TCP learns of it by its answer */
            ;
        ck_assert_msg(rc == -EPIPE || rc == -ECONNRESET, "%zd", rc);
        is(cord_send(pair[0], "x", 1, soon()), -EPIPE);
        sentence_has("the peer has closed the connection");
        cord_close(&pair[0]);
    }
}

MODE_TEST(peer_resets_econnreset)
{
    cord_socket pair[2];
    char byte, name[CORD_ADDRESS_TEXT];
    cord_address peer;
    connected_pair(pair);
    ok(cord_peer(pair[0], &peer));
    ok(cord_option_set(pair[1], CORD_LINGER, 0));
    cord_close(&pair[1]);
    is(cord_recv(pair[0], &byte, 1, soon()), -ECONNRESET);
    sentence_has(cord_address_text(&peer, name, sizeof name)); /* also after getpeername(2) knows it no more */
    is(cord_recv(pair[0], &byte, 1, soon()), 0);
    is(cord_send(pair[0], "x", 1, soon()), -EPIPE);
    is(cord_peer(pair[0], &peer), -ENOTCONN);
    cord_close(&pair[0]);
}

MODE_TEST(half_close_leaves_the_other_direction)
{
    EACH_STREAM(transport)
    {
        cord_socket pair[2];
        pair_over(*transport, pair);
        is(cord_send_all(pair[0], "question", 8, soon()), 8);
        ok(cord_shutdown(pair[0], SHUT_WR));
        received(pair[1], "question");
        received(pair[1], "");
        is(cord_send_all(pair[1], "answer", 6, soon()), 6);
        received(pair[0], "answer");
        is(cord_send(pair[0], "x", 1, soon()), -EPIPE);
        cord_close(&pair[0]);
        cord_close(&pair[1]);
    }
}

static int recv_one(void *arg)
{
    char byte;
    return (int)cord_recv(*(cord_socket *)arg, &byte, 1, soon());
}

MODE_TEST(shutdown_wakes_a_reader_with_0)
{
    cord_socket pair[2];
    connected_pair(pair);
    cord_task *reader = start_beside(recv_one, &pair[0], sizeof pair[0]);
    until_busy(pair[0], CORDI_READ);
    ok(cord_shutdown(pair[0], SHUT_RD));
    join(reader, 0);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

/* Reads some and goes away. */
static int read_and_leave(void *arg)
{
    cord_socket socket = *(cord_socket *)arg;
    static char buf[100000];
    ssize_t rc = cord_read_exact(socket, buf, sizeof buf, soon());
    cord_close(&socket);
    return (int)rc;
}

MODE_TEST(send_all_tells_how_far_it_came)
{
    EACH_STREAM(transport)
    {
        cord_socket pair[2];
        pair_over(*transport, pair);
        size_t size = 64u << 20;
        char *block = calloc(1, size);
        cord_task *reader = start(read_and_leave, &pair[1], sizeof pair[1]);
        if (mode.kind == CORD_PROCESS)
            cord_close(&pair[1]); /* the child's copy is the last one */
        ssize_t rc = cord_send_all(pair[0], block, size, soon());
        ck_assert_msg(rc == -EPIPE || rc == -ECONNRESET, "%zd", rc);
        ck_assert_uint_ge(cord_socket_sent(), 100000);
        ck_assert_uint_lt(cord_socket_sent(), size);
        join(reader, 100000);
        free(block);
        cord_close(&pair[0]);
    }
}

/* ---- several tasks on one socket ---- */

struct reader {
    cord_socket socket;
    int got;
};

static int read_byte(void *arg)
{
    struct reader *this = *(struct reader **)arg;
    char byte = 0;
    ssize_t rc = cord_recv(this->socket, &byte, 1, soon());
    this->got = byte;
    return (int)rc;
}

MODE_TEST(two_readers_are_served_in_order)
{
    cord_socket pair[2];
    connected_pair(pair);
    struct reader first = { pair[0], 0 }, second = { pair[0], 0 }, *one = &first, *two = &second;
    cord_task *a = start_beside(read_byte, &one, sizeof one);
    until_busy(pair[0], CORDI_READ);
    cord_task *b = start_beside(read_byte, &two, sizeof two);
    let_it_begin();
    is(cord_send_all(pair[1], "12", 2, soon()), 2);
    join(a, 1);
    join(b, 1);
    ck_assert_int_eq(first.got, '1');
    ck_assert_int_eq(second.got, '2');
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

/* A waiter whose deadline passes leaves the queue, and the one behind it is served. */
MODE_TEST(reader_that_gives_up_leaves_the_queue)
{
    cord_socket pair[2];
    char byte;
    connected_pair(pair);
    struct reader first = { pair[0], 0 }, *one = &first;
    cord_task *a = start_beside(read_byte, &one, sizeof one);
    until_busy(pair[0], CORDI_READ);
    is(cord_recv(pair[0], &byte, 1, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
    is(cord_recv(pair[0], &byte, 1, CORD_NOWAIT), -EAGAIN);
    is(cord_send_all(pair[1], "1", 1, soon()), 1);
    join(a, 1);
    is(cord_send_all(pair[1], "2", 1, soon()), 1);
    is(cord_recv(pair[0], &byte, 1, soon()), 1);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

enum { BLOCK = 300000, BLOCKS = 6 };
struct writer {
    cord_socket socket;
    char letter;
};

static int send_blocks(void *arg)
{
    struct writer *this = arg;
    char *block = malloc(BLOCK);
    memset(block, this->letter, BLOCK);
    ssize_t rc = BLOCK;
    for (int i = 0; i < BLOCKS && rc == BLOCK; i++)
        rc = cord_send_all(this->socket, block, BLOCK, soon());
    free(block);
    return (int)rc;
}

MODE_TEST(send_all_of_two_tasks_does_not_mix)
{
    cord_socket pair[2];
    connected_pair(pair);
    struct writer a = { pair[0], 'a' }, b = { pair[0], 'b' };
    cord_task *tasks[2] = { start_beside(send_blocks, &a, sizeof a), start_beside(send_blocks, &b, sizeof b) };
    char *block = malloc(BLOCK), *same = malloc(BLOCK);
    int seen[2] = { 0, 0 };
    for (int i = 0; i < 2 * BLOCKS; i++) {
        is(cord_read_exact(pair[1], block, BLOCK, soon()), BLOCK);
        memset(same, block[0], BLOCK);
        ck_assert(memcmp(block, same, BLOCK) == 0);
        seen[block[0] == 'b']++;
    }
    ck_assert_int_eq(seen[0], BLOCKS);
    join(tasks[0], BLOCK);
    join(tasks[1], BLOCK);
    free(block);
    free(same);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

int main(void)
{
    return run_tests("socket", MODE(echo_between_two_tasks), MODE(recv_of_nothing_asked_for_is_0),
                     MODE(send_without_reader_is_partial), MODE(sendf_and_vector_arrive_whole),
                     MODE(send_vector_goes_on_after_a_part), MODE(deadline_passes_at_each_call),
                     MODE(connect_deadline_passes_when_the_queue_is_full), MODE(default_timeout_bounds_forever_only),
                     MODE(use_after_close_never_reaches_the_next_socket), MODE(close_gives_the_descriptor_back),
                     MODE(peer_closes_recv_0_then_epipe), MODE(peer_resets_econnreset),
                     MODE(half_close_leaves_the_other_direction), MODE(shutdown_wakes_a_reader_with_0),
                     MODE(send_all_tells_how_far_it_came), MODE(two_readers_are_served_in_order),
                     MODE(reader_that_gives_up_leaves_the_queue), MODE(send_all_of_two_tasks_does_not_mix), END);
}
