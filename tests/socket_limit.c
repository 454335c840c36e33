/* Limits of a connection: slow and greedy peers, and those that are only slow. */
#include "netkit.h"

#include <stdlib.h>
#include <unistd.h>

static cord_span step(void)
{
    return slow() * 10 * CORD_MILLISECOND;
}

static void close_both(cord_socket pair[2])
{
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

static void limit(cord_socket socket, cord_socket_limits limits)
{
    ok(cord_socket_limit(socket, &limits));
}

static void put(cord_socket socket, const char *text)
{
    is(cord_send_all(socket, text, strlen(text), soon()), (ssize_t)strlen(text));
}

/* The sentence: the socket's peer, then the words. */
static void says(cord_socket socket, const char *words)
{
    char name[CORD_ADDRESS_TEXT], want[256];
    cord_address peer;
    char got[256];
    snprintf(got, sizeof got, "%s", cord_error_detail());
    ok(cord_peer(socket, &peer));
    snprintf(want, sizeof want, "%s: timed out: %s", cord_address_text(&peer, name, sizeof name), words);
    ck_assert_str_eq(got, want);
}

/* ---- first ---- */

MODE_TEST(first_byte_does_not_come_etimedout)
{
    cord_socket pair[2];
    char buf[8];
    connected_pair(pair);
    limit(pair[1], (cord_socket_limits){ .first = 20 * CORD_MILLISECOND });
    int64_t before = cord_now();
    is(cord_recv(pair[1], buf, sizeof buf, CORD_NOWAIT), -EAGAIN);
    is(cord_recv(pair[1], buf, sizeof buf, CORD_FOREVER), -ETIMEDOUT);
    says(pair[1], "no byte came within 20 ms");
    ck_assert_int_ge(cord_now() - before, 19 * CORD_MILLISECOND);
    is(cord_read_line(pair[1], buf, sizeof buf, soon()), -ETIMEDOUT); /* a later deadline does not help */
    says(pair[1], "no byte came within 20 ms");
    is(cord_recv_frame(pair[1], buf, sizeof buf, CORD_FOREVER), -ETIMEDOUT);
    is(cord_read_exact(pair[1], buf, 8, CORD_FOREVER), -ETIMEDOUT);
    is(cord_recv(pair[1], buf, sizeof buf, CORD_NOWAIT), -EAGAIN);
    is(cord_send(pair[1], "x", 1, CORD_FOREVER), 1); /* sending is not limited by it */
    put(pair[0], "late");                            /* what is there at once is received by the one try, and ends it */
    is(cord_read_exact(pair[1], buf, 4, soon()), 4);
    is(cord_recv(pair[1], buf, 1, cord_in(5 * CORD_MILLISECOND)), -ETIMEDOUT);
    sentence_has(": timed out");
    ck_assert_ptr_null(strstr(cord_error_detail(), "no byte"));
    close_both(pair);
}

static int send_later(void *arg)
{
    cord_socket socket = *(cord_socket *)arg;
    int rc = cord_sleep(30 * step());
    return rc < 0 ? rc : (int)cord_send_all(socket, "est\n", 4, soon());
}

/* One byte in time ends it, in whichever call that was and however little of what was asked for. */
static void one_byte_ends_it(int which)
{
    cord_socket pair[2];
    char buf[8] = { 0 };
    connected_pair(pair);
    put(pair[0], "r");
    limit(pair[1], (cord_socket_limits){ .first = 15 * step() });
    cord_task *sender = start(send_later, &pair[0], sizeof pair[0]);
    if (which == 0) {
        received(pair[1], "r");
        is(cord_recv(pair[1], buf, 4, CORD_FOREVER), 4);
    } else if (which == 1)
        is(cord_read_line(pair[1], buf, sizeof buf, CORD_FOREVER), 5);
    else if (which == 2)
        is(cord_read_exact(pair[1], buf, 5, CORD_FOREVER), 5);
    else {
        is(cord_read_line(pair[1], buf, sizeof buf, cord_in(step())), -ETIMEDOUT);
        is(cord_read_until(pair[1], buf, sizeof buf, "\n", soon()), 5);
    }
    join(sender, 4);
    close_both(pair);
}

MODE_TEST(first_byte_in_time_ends_that_limit)
{
    for (int i = 0; i < 4; i++)
        one_byte_ends_it(i);
}

MODE_TEST(first_is_ended_by_an_empty_frame)
{
    cord_socket pair[2];
    char buf[8];
    connected_pair(pair);
    is(cord_send_frame(pair[0], "", 0, soon()), 0);
    limit(pair[1], (cord_socket_limits){ .first = step() });
    is(cord_recv_frame(pair[1], buf, sizeof buf, CORD_FOREVER), 0);
    is(cord_recv(pair[1], buf, 1, cord_in(2 * step())), -ETIMEDOUT);
    ck_assert_ptr_null(strstr(cord_error_detail(), "no byte"));
    close_both(pair);
}

struct waiting {
    cord_socket socket;
    int answer;
};

static int read_two(void *arg)
{
    struct waiting *this = arg;
    char buf[2];
    return (int)cord_read_exact(this->socket, buf, 2, soon());
}

/* Who waits for his turn behind the call that receives the first byte is not cut by a limit that has ended. */
MODE_TEST(first_is_over_for_those_behind_in_turn)
{
    cord_socket pair[2];
    connected_pair(pair);
    limit(pair[1], (cord_socket_limits){ .first = 20 * step() });
    struct waiting this = { pair[1], 0 };
    cord_task *one = start_beside(read_two, &this, sizeof this);
    until_busy(pair[1], CORDI_READ);
    cord_task *two = start_beside(read_two, &this, sizeof this);
    let_it_begin();
    put(pair[0], "a");
    ok(cord_sleep(25 * step()));
    put(pair[0], "bcd");
    join(one, 2);
    join(two, 2);
    close_both(pair);
}

MODE_TEST(first_of_a_listener_is_a_connection)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), client = { 0 }, server = { 0 };
    limit(listener, (cord_socket_limits){ .first = 5 * CORD_MILLISECOND });
    is(cord_accept(listener, &server, NULL, CORD_FOREVER), -ETIMEDOUT);
    sentence_has("no byte came within 5 ms");
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_accept(listener, &server, NULL, CORD_FOREVER));
    is(cord_accept(listener, &client, NULL, cord_in(step())), -ETIMEDOUT);
    ck_assert_ptr_null(strstr(cord_error_detail(), "no byte"));
    cord_close(&server);
    cord_close(&client);
    cord_close(&listener);
}

MODE_TEST(first_of_datagrams)
{
    cord_socket pair[2];
    char buf[8];
    cord_datagram one = { .data = buf, .room = sizeof buf };
    ok(cord_socket_pair(pair, CORD_UNIXGRAM));
    limit(pair[1], (cord_socket_limits){ .first = 5 * CORD_MILLISECOND });
    is(cord_recv_many(pair[1], &one, 1, CORD_FOREVER), -ETIMEDOUT);
    sentence_has("no byte came within 5 ms");
    put(pair[0], "x");
    is(cord_recv_many(pair[1], &one, 1, CORD_FOREVER), 1);
    is(cord_recv_from(pair[1], buf, 1, NULL, NULL, cord_in(step())), -ETIMEDOUT);
    ck_assert_ptr_null(strstr(cord_error_detail(), "no byte"));
    close_both(pair);
}

/* ---- stalled ---- */

enum { PIECE = 4096, MUCH = 512 * 1024 };

struct reader {
    cord_socket socket;
    cord_span pause;
};

static int read_slowly(void *arg)
{
    struct reader *this = arg;
    char piece[PIECE];
    ssize_t n, all = 0;
    while ((n = cord_recv(this->socket, piece, sizeof piece, soon())) > 0) {
        all += n;
        int rc = cord_sleep(this->pause);
        if (rc < 0)
            return rc;
    }
    return n < 0 ? (int)n : (int)all;
}

/* A UNIX stream is writable when three quarters of its buffer are free: at this pace that takes several times the
 * limit, and as a whole the transfer takes many times of it. */
static void steady_reader(ssize_t (*send)(cord_socket, const void *, size_t))
{
    cord_socket pair[2];
    char *much = calloc(1, MUCH);
    pair_over("unix", pair);
    limit(pair[0], (cord_socket_limits){ .stalled = 20 * step() });
    struct reader reader = { pair[1], step() };
    cord_task *task = start(read_slowly, &reader, sizeof reader);
    int64_t before = cord_now();
    is(send(pair[0], much, MUCH), MUCH);
    ck_assert_int_gt(cord_now() - before, 40 * step());
    ok(cord_shutdown(pair[0], SHUT_WR));
    join(task, MUCH);
    free(much);
    close_both(pair);
}

static ssize_t by_send_all(cord_socket socket, const void *much, size_t size)
{
    return cord_send_all(socket, much, size, CORD_FOREVER);
}

MODE_TEST(stalled_does_not_cut_a_slow_but_steady_reader)
{
    steady_reader(by_send_all);
}

static ssize_t by_write(cord_socket socket, const void *much, size_t size)
{
    ssize_t rc = 0, all = 0;
    for (; all < (ssize_t)size && rc >= 0; all += rc)
        rc = cord_write(socket, much, 10000, cord_in(CORD_HOUR));
    rc = rc < 0 ? rc : cord_flush(socket, CORD_FOREVER);
    return rc < 0 ? rc : all - all % MUCH;
}

MODE_TEST(stalled_does_not_cut_gathered_writes)
{
    cord_socket pair[2];
    char *much = calloc(1, MUCH);
    pair_over("unix", pair);
    limit(pair[0], (cord_socket_limits){ .stalled = 20 * step() });
    struct reader reader = { pair[1], step() / 2 };
    cord_task *task = start(read_slowly, &reader, sizeof reader);
    is(by_write(pair[0], much, MUCH), MUCH);
    ok(cord_shutdown(pair[0], SHUT_WR));
    join(task, (MUCH + 9999) / 10000 * 10000);
    free(much);
    close_both(pair);
}

static void stalls(cord_socket pair[2], const char *words)
{
    char *much = calloc(1, 64 * 1024);
    int64_t before = cord_now();
    is(cord_send_all(pair[0], much, 64 * 1024, CORD_FOREVER), -ETIMEDOUT);
    sentence_has(words);
    is(cord_send(pair[0], much, 64 * 1024, soon()), -ETIMEDOUT);
    sentence_has(words);
    is(cord_sendf(pair[0], cord_in(CORD_HOUR), "%s", "x"), -ETIMEDOUT);
    ck_assert_int_ge(cord_now() - before, 3 * 20 * CORD_MILLISECOND);
    is(cord_send(pair[0], much, 1, CORD_NOWAIT), -EAGAIN);
    is(cord_write(pair[0], much, 1, CORD_FOREVER), 1); /* is kept: nothing to wait for */
    is(cord_flush(pair[0], CORD_FOREVER), -ETIMEDOUT);
    sentence_has(words);
    is(cord_socket_sent(), 0);
    is(cord_write(pair[0], much, 64 * 1024, CORD_FOREVER), -ETIMEDOUT);
    sentence_has(words);
    is(cord_send_frame(pair[0], much, 1, CORD_FOREVER), -ETIMEDOUT);
    is(cord_send_all(pair[0], much, 1, cord_in(CORD_MILLISECOND)), -ETIMEDOUT); /* an earlier deadline wins */
    ck_assert_ptr_null(strstr(cord_error_detail(), "nothing"));
    free(much);
}

MODE_TEST(stalled_cuts_a_reader_that_takes_nothing)
{
    static const char *const transports[] = { "tcp", "unix" };
    for (int i = 0; i < 2; i++) {
        cord_socket pair[2];
        pair_over(transports[i], pair);
        fill(pair[0]);
        limit(pair[0], (cord_socket_limits){ .stalled = 20 * CORD_MILLISECOND });
        stalls(pair, ": timed out: the peer took nothing for 20 ms");
        close_both(pair);
    }
}

MODE_TEST(stalled_cuts_a_pipe)
{
    int fds[2];
    cord_socket out = { 0 };
    char block[PIECE] = { 0 };
    ssize_t rc;
    is(pipe(fds), 0);
    ok(cord_adopt(&out, fds[1]));
    limit(out, (cord_socket_limits){ .stalled = 20 * CORD_MILLISECOND });
    while ((rc = cord_send(out, block, sizeof block, CORD_FOREVER)) > 0)
        ;
    is(rc, -ETIMEDOUT);
    sentence_has("took nothing for 20 ms");
    cord_close(&out);
    close(fds[0]);
}

/* Room comes, but not by the wait's own hint: a datagram's queue is asked again and again. */
MODE_TEST(stalled_cuts_a_full_datagram_queue)
{
    char address[CORD_ADDRESS_TEXT], own[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "unixgram"), sender = { 0 };
    cord_address to;
    ssize_t rc;
    ok(cord_local(listener, &to));
    snprintf(own, sizeof own, "unixgram:%s/own", temp_dir());
    ok(cord_listen(&sender, own, NULL));
    limit(sender, (cord_socket_limits){ .stalled = 20 * CORD_MILLISECOND });
    while ((rc = cord_send_to(sender, "x", 1, &to, CORD_FOREVER)) > 0)
        ;
    is(rc, -ETIMEDOUT);
    sentence_has("took nothing for 20 ms");
    cord_datagram one = { .data = (void *)"x", .size = 1, .peer = to };
    is(cord_send_many(sender, &one, 1, CORD_FOREVER), -ETIMEDOUT);
    sentence_has("took nothing for 20 ms");
    is(cord_send_to(sender, "x", 1, &to, CORD_NOWAIT), -EAGAIN);
    received(listener, "x");
    is(cord_send_to(sender, "x", 1, &to, CORD_FOREVER), 1);
    cord_close(&sender);
    cord_close(&listener);
}

/* ---- whole ---- */

static int send_for_ever(void *arg)
{
    ssize_t rc;
    while ((rc = cord_send(*(cord_socket *)arg, "x", 1, soon())) > 0)
        (void)cord_sleep(CORD_MILLISECOND);
    return rc == -EPIPE || rc == -ECONNRESET ? 0 : (int)rc;
}

/* Neither reading byte by byte nor one call for very much of it outlasts the limit. */
static void dribble(size_t at_once)
{
    cord_socket pair[2];
    char *buf = malloc(at_once);
    ssize_t rc;
    connected_pair(pair);
    cord_task *sender = start_beside(send_for_ever, &pair[0], sizeof pair[0]);
    int64_t before = cord_now();
    limit(pair[1], (cord_socket_limits){ .idle = 10 * CORD_SECOND, .whole = 100 * CORD_MILLISECOND });
    while ((rc = cord_read_exact(pair[1], buf, at_once, CORD_FOREVER)) > 0)
        ;
    is(rc, -ETIMEDOUT);
    says(pair[1], "the connection took longer than 100 ms");
    ck_assert_int_ge(cord_now() - before, 99 * CORD_MILLISECOND);
    cord_close(&pair[1]);
    join(sender, 0);
    cord_close(&pair[0]);
    free(buf);
}

MODE_TEST(whole_ends_one_byte_at_a_time)
{
    dribble(1);
    dribble(1000000);
}

MODE_TEST(whole_fails_though_data_is_there)
{
    cord_socket pair[2];
    char buf[16];
    connected_pair(pair);
    put(pair[0], "one\ntwo\nthree\n");
    is(cord_read_line(pair[1], buf, sizeof buf, soon()), 4);
    limit(pair[1], (cord_socket_limits){ .whole = 1500 * CORD_MICROSECOND });
    ok(cord_sleep(2 * CORD_MILLISECOND));
    is(cord_read_line(pair[1], buf, sizeof buf, soon()), -ETIMEDOUT);
    says(pair[1], "the connection took longer than 1.5 ms");
    is(cord_recv(pair[1], buf, 1, CORD_FOREVER), -ETIMEDOUT);
    is(cord_send(pair[1], "x", 1, CORD_FOREVER), -ETIMEDOUT);
    is(cord_write(pair[1], "x", 1, soon()), -ETIMEDOUT);
    is(cord_flush(pair[1], soon()), -ETIMEDOUT);
    says(pair[1], "the connection took longer than 1.5 ms");
    is(cord_send(pair[1], "x", 1, CORD_NOWAIT), 1); /* these never wait, and are not cut */
    is(cord_read_line(pair[1], buf, sizeof buf, CORD_NOWAIT), 4);
    is(cord_recv(pair[1], buf, 6, CORD_NOWAIT), 6);
    is(cord_recv(pair[1], buf, 6, CORD_NOWAIT), -EAGAIN);
    limit(pair[1], (cord_socket_limits){ 0 });
    put(pair[0], "on");
    received(pair[1], "on");
    close_both(pair);
}

static int read_all(void *arg)
{
    char piece[PIECE];
    ssize_t n;
    while ((n = cord_recv(*(cord_socket *)arg, piece, sizeof piece, soon())) > 0)
        ;
    return n == -ECONNRESET ? 0 : (int)n;
}

/* A send that never has to wait for long, because the peer takes all of it, ends as well. */
MODE_TEST(whole_ends_a_send_to_a_quick_reader)
{
    cord_socket pair[2];
    char *much = calloc(1, MUCH);
    struct iovec pieces[1024];
    ssize_t rc;
    connected_pair(pair);
    for (int i = 0; i < 1024; i++)
        pieces[i] = (struct iovec){ much, MUCH };
    cord_task *reader = start(read_all, &pair[1], sizeof pair[1]);
    limit(pair[0], (cord_socket_limits){ .whole = 30 * CORD_MILLISECOND });
    while ((rc = cord_send_vector(pair[0], pieces, 1024, CORD_FOREVER)) > 0)
        ;
    is(rc, -ETIMEDOUT);
    says(pair[0], "the connection took longer than 30 ms");
    ok(cord_shutdown(pair[0], SHUT_WR));
    join(reader, 0);
    close_both(pair);
    free(much);
}

/* ---- together ---- */

MODE_TEST(earliest_limit_or_deadline_wins)
{
    cord_socket pair[2];
    char byte;
    connected_pair(pair);
    limit(pair[1], (cord_socket_limits){ .first = CORD_HOUR, .stalled = CORD_HOUR, .whole = CORD_HOUR });
    is(cord_recv(pair[1], &byte, 1, cord_in(CORD_MILLISECOND)), -ETIMEDOUT);
    sentence_has(": timed out");
    ck_assert_ptr_null(strstr(cord_error_detail(), ": timed out:"));
    limit(pair[1], (cord_socket_limits){ .idle = 5 * CORD_MILLISECOND, .first = CORD_HOUR, .whole = CORD_HOUR });
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), -ETIMEDOUT); /* idle */
    ck_assert_ptr_null(strstr(cord_error_detail(), ": timed out:"));
    limit(pair[1], (cord_socket_limits){ .first = CORD_HOUR, .whole = 5 * CORD_MILLISECOND });
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), -ETIMEDOUT);
    says(pair[1], "the connection took longer than 5 ms");
    limit(pair[1], (cord_socket_limits){ .first = 5 * CORD_MILLISECOND, .whole = CORD_HOUR });
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), -ETIMEDOUT);
    says(pair[1], "no byte came within 5 ms");
    limit(pair[1], (cord_socket_limits){ .first = INT64_MAX, .stalled = INT64_MAX, .whole = INT64_MAX }); /* never */
    is(cord_recv(pair[1], &byte, 1, cord_in(CORD_MILLISECOND)), -ETIMEDOUT);
    is(cord_send(pair[1], "x", 1, CORD_FOREVER), 1);
    close_both(pair);
}

MODE_TEST(limits_are_cleared_and_idle_is_the_timeout)
{
    cord_socket pair[2];
    char byte;
    connected_pair(pair);
    limit(pair[1], (cord_socket_limits){ .first = 1, .whole = 1, .stalled = 1 });
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), -ETIMEDOUT);
    limit(pair[1], (cord_socket_limits){ 0 });
    put(pair[0], "ab");
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), 1);
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), 1);
    limit(pair[1], (cord_socket_limits){ .idle = 5 * CORD_MILLISECOND });
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), -ETIMEDOUT);
    limit(pair[1], (cord_socket_limits){ .first = 10 * CORD_MILLISECOND });
    ok(cord_socket_timeout(pair[1], CORD_MILLISECOND)); /* beside the others, which stay */
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), -ETIMEDOUT);
    is(cord_recv(pair[1], &byte, 1, cord_in(CORD_HOUR)), -ETIMEDOUT);
    says(pair[1], "no byte came within 10 ms");
    ok(cord_socket_timeout(pair[1], 0));
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), -ETIMEDOUT);
    says(pair[1], "no byte came within 10 ms");
    close_both(pair);
}

MODE_TEST(lines_read_ahead_are_no_matter_of_first)
{
    cord_socket pair[2];
    char line[16];
    connected_pair(pair);
    put(pair[0], "one\ntwo\n");
    is(cord_read_line(pair[1], line, sizeof line, soon()), 4);
    limit(pair[1], (cord_socket_limits){ .first = 1 });
    is(cord_read_line(pair[1], line, sizeof line, CORD_FOREVER), 4);
    ck_assert_str_eq(line, "two");
    put(pair[0], "three\n");
    is(cord_read_line(pair[1], line, sizeof line, CORD_FOREVER), 6);
    close_both(pair);
}

MODE_TEST(negative_limits_einval_change_nothing)
{
    cord_socket pair[2], closed = { 0 };
    char byte;
    connected_pair(pair);
    limit(pair[1], (cord_socket_limits){ .first = 5 * CORD_MILLISECOND });
    is(cord_socket_limit(pair[1], &(cord_socket_limits){ .idle = -1 }), -EINVAL);
    sentence_has(": a limit is a span of 0 or more");
    is(cord_socket_limit(pair[1], &(cord_socket_limits){ .first = -1 }), -EINVAL);
    is(cord_socket_limit(pair[1], &(cord_socket_limits){ .stalled = -1 }), -EINVAL);
    is(cord_socket_limit(pair[1], &(cord_socket_limits){ .whole = -CORD_SECOND }), -EINVAL);
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), -ETIMEDOUT);
    says(pair[1], "no byte came within 5 ms");
    is(cord_socket_limit(closed, &(cord_socket_limits){ 0 }), -EBADF);
    close_both(pair);
}

/* cord_select tells of readiness only; the call that follows answers by the limits. */
MODE_TEST(select_tells_readiness_after_whole)
{
    cord_socket pair[2];
    char byte;
    connected_pair(pair);
    limit(pair[1], (cord_socket_limits){ .whole = 1 });
    put(pair[0], "x");
    is(cord_select(&(cord_choice){ .readable = pair[1] }, 1, soon()), 0);
    is(cord_recv(pair[1], &byte, 1, CORD_FOREVER), -ETIMEDOUT);
    close_both(pair);
}

int main(void)
{
    return run_tests("socket_limit", MODE(first_byte_does_not_come_etimedout), MODE(first_byte_in_time_ends_that_limit),
                     MODE(first_is_ended_by_an_empty_frame), MODE(first_is_over_for_those_behind_in_turn),
                     MODE(first_of_a_listener_is_a_connection), MODE(first_of_datagrams),
                     MODE(stalled_does_not_cut_a_slow_but_steady_reader), MODE(stalled_does_not_cut_gathered_writes),
                     MODE(stalled_cuts_a_reader_that_takes_nothing), MODE(stalled_cuts_a_pipe),
                     MODE(stalled_cuts_a_full_datagram_queue), MODE(whole_ends_one_byte_at_a_time),
                     MODE(whole_fails_though_data_is_there), MODE(whole_ends_a_send_to_a_quick_reader),
                     MODE(earliest_limit_or_deadline_wins), MODE(limits_are_cleared_and_idle_is_the_timeout),
                     MODE(lines_read_ahead_are_no_matter_of_first), MODE(negative_limits_einval_change_nothing),
                     MODE(select_tells_readiness_after_whole), END);
}
