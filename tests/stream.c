/* Lines, exact amounts, delimiters, frames and gathered writes. */
#include "netkit.h"

#include <stdlib.h>
#include <unistd.h>

static void put(cord_socket socket, const char *text)
{
    is(cord_send_all(socket, text, strlen(text), soon()), (ssize_t)strlen(text));
}

static void line_is(cord_socket socket, const char *want, ssize_t count)
{
    char line[64];
    is(cord_read_line(socket, line, sizeof line, soon()), count);
    ck_assert_str_eq(line, want);
}

static void close_both(cord_socket pair[2])
{
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

MODE_TEST(read_line_strips_and_counts_the_newline)
{
    cord_socket pair[2];
    connected_pair(pair);
    put(pair[0], "one\ntwo\r\n\n\r\n\rx\ry\r\nlast");
    cord_close(&pair[0]);
    line_is(pair[1], "one", 4);
    line_is(pair[1], "two", 4);
    line_is(pair[1], "", 1);
    line_is(pair[1], "", 1);
    line_is(pair[1], "\rx\ry", 5);
    line_is(pair[1], "last", 4);
    line_is(pair[1], "", 0);
    line_is(pair[1], "", 0);
    cord_close(&pair[1]);
}

MODE_TEST(read_line_of_exact_room_fits_one_more_does_not)
{
    static const struct {
        const char *text;
        ssize_t answer; /* with room for 4 bytes and NUL */
    } table[] = { { "abcd\n", 5 },
                  { "abcd\r\n", 5 },
                  { "abcde\n", CORD_ETOOLONG },
                  { "abcd\rx\n", CORD_ETOOLONG },
                  { "abcde\r\n", CORD_ETOOLONG },
                  { "abcd", 4 },
                  { "abcde", CORD_ETOOLONG },
                  { "abcd\r", CORD_ETOOLONG },
                  { "\n", 1 } };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cord_socket pair[2];
        char line[5], rest[32];
        connected_pair(pair);
        put(pair[0], table[i].text);
        cord_close(&pair[0]);
        is(cord_read_line(pair[1], line, sizeof line, soon()), table[i].answer);
        if (table[i].answer == CORD_ETOOLONG) { /* nothing was taken */
            is(cord_read_exact(pair[1], rest, strlen(table[i].text), soon()), (ssize_t)strlen(table[i].text));
            ck_assert(memcmp(rest, table[i].text, strlen(table[i].text)) == 0);
        }
        cord_close(&pair[1]);
    }
}

/* A line that is too long is told at once, not when its end comes. */
MODE_TEST(read_line_too_long_does_not_wait)
{
    cord_socket pair[2];
    char line[8];
    connected_pair(pair);
    put(pair[0], "12345678901234567890");
    is(cord_read_line(pair[1], line, sizeof line, soon()), CORD_ETOOLONG);
    is(cord_read_line(pair[1], line, 0, soon()), -EINVAL);
    close_both(pair);
}

static int send_dribble(void *arg)
{
    const char *text = "a long line that comes byte by byte\r\nx";
    ssize_t rc = 0;
    for (; *text != 0 && rc >= 0; text++) {
        rc = cord_send(*(cord_socket *)arg, text, 1, soon());
        if (rc >= 0 && cord_yield() < 0)
            return -ECANCELED;
    }
    return rc < 0 ? (int)rc : 0;
}

MODE_TEST(read_line_from_single_bytes)
{
    cord_socket pair[2];
    connected_pair(pair);
    cord_task *sender = start(send_dribble, &pair[0], sizeof pair[0]);
    line_is(pair[1], "a long line that comes byte by byte", 36);
    received(pair[1], "x");
    join(sender, 0);
    close_both(pair);
}

static int send_long_line(void *arg)
{
    char *line = malloc(200000);
    memset(line, 'q', 199999);
    line[199999] = '\n';
    ssize_t rc = cord_send_all(*(cord_socket *)arg, line, 200000, soon());
    free(line);
    return (int)rc;
}

MODE_TEST(read_line_longer_than_the_first_buffer)
{
    cord_socket pair[2];
    connected_pair(pair);
    cord_task *sender = start(send_long_line, &pair[0], sizeof pair[0]);
    char *line = malloc(200000);
    is(cord_read_line(pair[1], line, 200000, soon()), 200000);
    ck_assert_uint_eq(strspn(line, "q"), 199999);
    join(sender, 200000);
    free(line);
    close_both(pair);
}

MODE_TEST(deadline_keeps_what_has_arrived)
{
    cord_socket pair[2];
    char buf[64], head[4] = { 0, 0, 0, 6 };
    cord_deadline none = cord_in(10 * CORD_MILLISECOND);
    connected_pair(pair);
    put(pair[0], "par");
    is(cord_read_line(pair[1], buf, sizeof buf, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
    put(pair[0], "t\nexa");
    line_is(pair[1], "part", 5);
    is(cord_read_exact(pair[1], buf, 5, none), -ETIMEDOUT);
    is(cord_read_exact(pair[1], buf, 50, CORD_NOWAIT), -EAGAIN);
    put(pair[0], "ct12");
    is(cord_read_exact(pair[1], buf, 5, soon()), 5);
    ck_assert(memcmp(buf, "exact", 5) == 0);
    is(cord_read_until(pair[1], buf, sizeof buf, "--", none), -ETIMEDOUT);
    put(pair[0], "-");
    is(cord_read_until(pair[1], buf, sizeof buf, "--", cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
    put(pair[0], "-");
    is(cord_read_until(pair[1], buf, sizeof buf, "--", soon()), 4);
    ck_assert(memcmp(buf, "12--", 4) == 0);
    is(cord_send_all(pair[0], head, 3, soon()), 3);
    is(cord_recv_frame(pair[1], buf, sizeof buf, none), -ETIMEDOUT);
    is(cord_send_all(pair[0], head + 3, 1, soon()), 1);
    put(pair[0], "fra");
    is(cord_recv_frame(pair[1], buf, sizeof buf, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
    put(pair[0], "me!after");
    is(cord_frame_size(pair[1], soon()), 6);
    is(cord_recv_frame(pair[1], buf, sizeof buf, soon()), 6);
    ck_assert(memcmp(buf, "frame!", 6) == 0);
    received(pair[1], "after");
    close_both(pair);
}

static int read_a_line(void *arg)
{
    char line[64];
    return (int)cord_read_line(*(cord_socket *)arg, line, sizeof line, soon());
}

MODE_TEST(cancel_keeps_what_has_arrived)
{
    cord_socket pair[2];
    connected_pair(pair);
    put(pair[0], "half");
    cord_task *reader = start_beside(read_a_line, &pair[1], sizeof pair[1]);
    until_busy(pair[1], CORDI_READ);
    let_it_begin();
    cord_task_cancel(reader);
    join(reader, -ECANCELED);
    put(pair[0], " and half\n");
    line_is(pair[1], "half and half", 14);
    close_both(pair);
}

MODE_TEST(recv_gives_out_what_was_read_ahead)
{
    cord_socket pair[2];
    char buf[64];
    int flags = CORD_PEEK;
    cord_address from, peer;
    connected_pair(pair);
    put(pair[0], "line\nthe rest");
    line_is(pair[1], "line", 5);
    is(cord_recv_from(pair[1], buf, 3, &from, &flags, soon()), 3);
    ok(cord_peer(pair[1], &peer));
    ck_assert(cord_address_equal(&from, &peer));
    is(flags, 0);
    is(cord_recv(pair[1], buf, 4, CORD_NOWAIT), 4);
    ck_assert(memcmp(buf, "the ", 4) == 0);
    received(pair[1], "rest");
    flags = CORD_PEEK; /* straight from the kernel this time */
    put(pair[0], "abc");
    is(cord_recv_from(pair[1], buf, sizeof buf, NULL, &flags, soon()), 3);
    received(pair[1], "abc");
    close_both(pair);
}

MODE_TEST(read_exact_answers_0_or_ended)
{
    cord_socket pair[2];
    char buf[8];
    connected_pair(pair);
    is(cord_read_exact(pair[1], buf, 0, CORD_FOREVER), 0);
    put(pair[0], "12345678abc");
    cord_close(&pair[0]);
    is(cord_read_exact(pair[1], buf, 8, soon()), 8);
    is(cord_read_exact(pair[1], buf, 8, soon()), CORD_EENDED);
    ck_assert(memcmp(buf, "abc", 3) == 0);
    is(cord_read_exact(pair[1], buf, 8, soon()), 0);
    cord_close(&pair[1]);
}

MODE_TEST(read_until_limit_and_end)
{
    cord_socket pair[2];
    char buf[64];
    connected_pair(pair);
    put(pair[0], "key: value\r\n\r\nbody12345");
    cord_close(&pair[0]);
    is(cord_read_until(pair[1], buf, 13, "\r\n\r\n", soon()), CORD_ETOOLONG);
    is(cord_read_until(pair[1], buf, 14, "\r\n\r\n", soon()), 14);
    ck_assert(memcmp(buf, "key: value\r\n\r\n", 14) == 0);
    is(cord_read_until(pair[1], buf, sizeof buf, "", soon()), -EINVAL);
    is(cord_read_until(pair[1], buf, sizeof buf, "\n", soon()), CORD_EENDED);
    is(cord_read_exact(pair[1], buf, 9, soon()), 9);
    is(cord_read_until(pair[1], buf, sizeof buf, "\n", soon()), 0);
    cord_close(&pair[1]);
}

MODE_TEST(peek_leaves_everything)
{
    cord_socket pair[2];
    char buf[8];
    connected_pair(pair);
    is(cord_peek(pair[1], buf, sizeof buf, CORD_NOWAIT), -EAGAIN);
    put(pair[0], "abc\n");
    is(cord_peek(pair[1], buf, 2, soon()), 2);
    is(cord_peek(pair[1], buf, sizeof buf, soon()), 4);
    ck_assert(memcmp(buf, "abc\n", 4) == 0);
    line_is(pair[1], "abc", 4);
    cord_close(&pair[0]);
    is(cord_peek(pair[1], buf, sizeof buf, soon()), 0);
    cord_close(&pair[1]);
}

MODE_TEST(write_is_kept_until_flush_or_send)
{
    cord_socket pair[2];
    char *big = malloc(40000), *got = malloc(40006);
    connected_pair(pair);
    is(cord_write(pair[0], "a", 1, soon()), 1);
    is(cord_write(pair[0], "b", 1, soon()), 1);
    is(cord_socket_sent(), 1);
    is(cord_recv(pair[1], got, 8, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
    ok(cord_flush(pair[0], soon()));
    is(cord_socket_sent(), 2);
    received(pair[1], "ab");
    ok(cord_flush(pair[0], soon()));
    is(cord_write(pair[0], "1", 1, soon()), 1);
    is(cord_send_all(pair[0], "2", 1, soon()), 1);
    is(cord_write(pair[0], "3", 1, soon()), 1);
    is(cord_send(pair[0], "4", 1, soon()), 1);
    memset(big, 'B', 40000);
    is(cord_write(pair[0], "5", 1, soon()), 1);
    is(cord_write(pair[0], big, 40000, soon()), 40000);
    is(cord_read_exact(pair[1], got, 40005, soon()), 40005);
    ck_assert(memcmp(got, "12345", 5) == 0 && memcmp(got + 5, big, 40000) == 0);
    for (int i = 0; i < 5; i++)
        is(cord_write(pair[0], big, 4096, soon()), 4096); /* the fifth does not fit any more */
    is(cord_read_exact(pair[1], got, 4 * 4096, soon()), 4 * 4096);
    free(big);
    free(got);
    close_both(pair);
}

MODE_TEST(flush_goes_on_where_a_deadline_stopped_it)
{
    cord_socket pair[2];
    char block[1000], *got = malloc(1 << 20);
    connected_pair(pair);
    fill(pair[0]);
    for (int i = 0; i < 16; i++) {
        memset(block, 'a' + i, sizeof block);
        is(cord_write(pair[0], block, sizeof block, soon()), 1000);
    }
    is(cord_flush(pair[0], cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT);
    size_t before = cord_socket_sent(), after = 0, others = 0;
    ssize_t n = 0;
    char last = 0;
    while (after + before < 16000) { /* room comes, and the rest goes piece by piece */
        while ((n = cord_recv(pair[1], got, 1 << 20, CORD_NOWAIT)) > 0)
            for (ssize_t i = 0; i < n; i++) {
                others += got[i] != 0;
                if (got[i] != 0) {
                    ck_assert(got[i] >= last);
                    last = got[i];
                }
            }
        int rc = cord_flush(pair[0], cord_in(10 * CORD_MILLISECOND));
        after += cord_socket_sent();
        if (rc < 0)
            is(rc, -ETIMEDOUT);
    }
    is(after + before, 16000);
    ok(cord_shutdown(pair[0], SHUT_WR));
    while ((n = cord_recv(pair[1], got, 1 << 20, soon())) > 0)
        for (ssize_t i = 0; i < n; i++)
            others += got[i] != 0;
    is(n, 0);
    is(others, 16000);
    free(got);
    close_both(pair);
}

MODE_TEST(frames_keep_their_borders)
{
    cord_socket pair[2];
    char buf[16];
    connected_pair(pair);
    is(cord_send_frame(pair[0], "one", 3, soon()), 3);
    is(cord_send_frame(pair[0], "", 0, soon()), 0);
    is(cord_send_frame(pair[0], "seventeen letters", 17, soon()), 17);
    is(cord_recv_frame(pair[1], buf, sizeof buf, soon()), 3);
    ck_assert(memcmp(buf, "one", 3) == 0);
    is(cord_recv_frame(pair[1], buf, sizeof buf, soon()), 0);
    is(cord_recv_frame(pair[1], buf, sizeof buf, soon()), CORD_ETOOLONG);
    is(cord_frame_size(pair[1], soon()), 17);
    char large[17];
    is(cord_recv_frame(pair[1], large, sizeof large, soon()), 17);
    ck_assert(memcmp(large, "seventeen letters", 17) == 0);
    cord_close(&pair[0]);
    is(cord_recv_frame(pair[1], buf, sizeof buf, soon()), CORD_EENDED);
    cord_close(&pair[1]);
}

MODE_TEST(frame_heads_of_each_form)
{
    cord_socket pair[2];
    char buf[16];
    connected_pair(pair);
    is(cord_send_all(pair[0], "\377\377\377\377\0\0\0\0\0\0\0\2ok", 14, soon()), 14);
    is(cord_frame_size(pair[1], soon()), 2);
    is(cord_recv_frame(pair[1], buf, sizeof buf, soon()), 2);
    ck_assert(memcmp(buf, "ok", 2) == 0);
    is(cord_send_all(pair[0], "\377\377\377\377\0\0\0\1\0\0\0\0", 12, soon()), 12);
    is(cord_frame_size(pair[1], soon()), 4294967296);
    is(cord_recv_frame(pair[1], buf, sizeof buf, soon()), CORD_ETOOLONG);
    close_both(pair);
    connected_pair(pair);
    is(cord_send_all(pair[0], "\377\377\377\376", 4, soon()), 4);
    is(cord_frame_size(pair[1], soon()), -EPROTO);
    is(cord_recv_frame(pair[1], buf, sizeof buf, soon()), -EPROTO);
    close_both(pair);
    connected_pair(pair);
    is(cord_send_all(pair[0], "\0\0\0\5ab", 6, soon()), 6);
    cord_close(&pair[0]);
    is(cord_recv_frame(pair[1], buf, sizeof buf, soon()), CORD_EENDED);
    cord_close(&pair[1]);
}

static int send_large_frame(void *arg)
{
    char *block = malloc(3000000);
    for (size_t i = 0; i < 3000000; i++)
        block[i] = (char)(i / 7);
    ssize_t rc = cord_send_frame(*(cord_socket *)arg, block, 3000000, soon());
    free(block);
    return (int)rc;
}

/* A frame beyond the buffer whose reader gives up in the middle again and again loses nothing. */
MODE_TEST(frame_large_in_many_attempts)
{
    cord_socket pair[2];
    connected_pair(pair);
    cord_task *sender = start(send_large_frame, &pair[0], sizeof pair[0]);
    char *block = malloc(3000000);
    ssize_t rc;
    while ((rc = cord_recv_frame(pair[1], block, 3000000, CORD_NOWAIT)) == -EAGAIN)
        ok(cord_sleep(CORD_MILLISECOND));
    is(rc, 3000000);
    for (size_t i = 0; i < 3000000; i++)
        if (block[i] != (char)(i / 7))
            ck_abort_msg("byte %zu", i);
    join(sender, 3000000);
    free(block);
    close_both(pair);
}

MODE_TEST(datagrams_have_no_streams)
{
    cord_socket pair[2];
    char buf[8];
    ok(cord_socket_pair(pair, CORD_UNIXGRAM));
    is(cord_read_line(pair[0], buf, sizeof buf, soon()), -EOPNOTSUPP);
    is(cord_read_exact(pair[0], buf, sizeof buf, soon()), -EOPNOTSUPP);
    is(cord_read_until(pair[0], buf, sizeof buf, "x", soon()), -EOPNOTSUPP);
    is(cord_peek(pair[0], buf, sizeof buf, soon()), -EOPNOTSUPP);
    is(cord_write(pair[0], "x", 1, soon()), -EOPNOTSUPP);
    is(cord_flush(pair[0], soon()), -EOPNOTSUPP);
    is(cord_send_frame(pair[0], "x", 1, soon()), -EOPNOTSUPP);
    is(cord_recv_frame(pair[0], buf, sizeof buf, soon()), -EOPNOTSUPP);
    close_both(pair);
}

int main(void)
{
    return run_tests("stream", MODE(read_line_strips_and_counts_the_newline),
                     MODE(read_line_of_exact_room_fits_one_more_does_not), MODE(read_line_too_long_does_not_wait),
                     MODE(read_line_from_single_bytes), MODE(read_line_longer_than_the_first_buffer),
                     MODE(deadline_keeps_what_has_arrived), MODE(cancel_keeps_what_has_arrived),
                     MODE(recv_gives_out_what_was_read_ahead), MODE(read_exact_answers_0_or_ended),
                     MODE(read_until_limit_and_end), MODE(peek_leaves_everything),
                     MODE(write_is_kept_until_flush_or_send), MODE(flush_goes_on_where_a_deadline_stopped_it),
                     MODE(frames_keep_their_borders), MODE(frame_heads_of_each_form),
                     MODE(frame_large_in_many_attempts), MODE(datagrams_have_no_streams), END);
}
