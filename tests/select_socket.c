/* tests/select_socket.c - cord_select() of sockets, and of sockets with other things. */
#include "netkit.h"
#include "selecting.h"

static int send_when_it_waits(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    eventually(waits, board->waiter);
    ssize_t rc = cord_send_all(board->socket, "hello\nyou", 9, soon());
    return rc < 0 ? (int)rc : 0;
}

MODE_TEST(select_of_a_socket_waits_for_data)
{
    cord_socket pair[2], listener, client = { 0 }, got = { 0 };
    char address[CORD_ADDRESS_TEXT], buf[32];
    struct board *board = setup(1);
    connected_pair(pair);
    cord_choice choices[] = { { .readable = pair[1] }, { .readable = pair[0] } };
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);
    is(cord_select(choices, 2, cord_in(5 * CORD_MILLISECOND)), -ETIMEDOUT);
    board->socket = pair[1];
    cord_task *other = beside(send_when_it_waits, board, 0);
    is(cord_select(choices, 2, soon()), 1);
    is(choices[1].result, 0);
    join(other, 0);
    is(cord_select(choices, 2, CORD_NOWAIT), 1);
    is(cord_read_line(pair[0], buf, sizeof buf, soon()), 6); /* the rest is kept by the socket */
    is(cord_select(choices, 2, soon()), 1);
    is(cord_recv(pair[0], buf, sizeof buf, CORD_NOWAIT), 3);
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);

    listener = listen_anywhere(address, "tcp");
    choices[0].readable = listener;
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);
    ok(cord_connect(&client, address, NULL, soon()));
    is(cord_select(choices, 2, soon()), 0);
    ok(cord_accept(listener, &got, NULL, CORD_NOWAIT));
    cord_close(&pair[1]);
    is(cord_select(choices, 2, soon()), 1); /* an end */
    is(cord_recv(pair[0], buf, sizeof buf, CORD_NOWAIT), 0);
    cord_close(&pair[0]);
    cord_close(&client);
    cord_close(&got);
    cord_close(&listener);
    teardown(board);
}

static int drain_when_it_waits(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    static char block[1 << 16];
    eventually(waits, board->waiter);
    for (ssize_t rc = 1; !atomic_load(&board->done);) {
        rc = cord_recv(board->socket, block, sizeof block, cord_in(CORD_MILLISECOND));
        if (rc < 0 && rc != -ETIMEDOUT)
            return (int)rc;
    }
    return 0;
}

MODE_TEST(select_of_a_full_socket_waits_for_room)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    connected_pair(pair);
    cord_choice choices[] = { { .readable = pair[0] }, { .writable = pair[0] } };
    is(cord_select(choices, 2, CORD_NOWAIT), 1);
    fill(pair[0]);
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);
    board->socket = pair[1];
    cord_task *other = beside(drain_when_it_waits, board, 0);
    is(cord_select(choices, 2, soon()), 1);
    board->done = 1;
    join(other, 0);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    teardown(board);
}

MODE_TEST(select_of_a_socket_and_a_queue_takes_what_comes)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    char buf[32];
    connected_pair(pair);
    board->socket = pair[1];
    for (int round = 0; round < 3; round++) {
        int x = 0;
        cord_choice choices[] = { { .get = board->a, .item = &x }, { .readable = pair[0] }, { .event = board->event } };
        cord_task *other = beside(when_it_waits, board, PUT_A);
        is(cord_select(choices, 3, soon()), 0);
        is(x, 40 + PUT_A);
        join(other, 0);
        other = beside(send_when_it_waits, board, 0);
        is(cord_select(choices, 3, soon()), 1);
        is(cord_recv(pair[0], buf, sizeof buf, soon()), 9);
        join(other, 0);
        other = beside(when_it_waits, board, SET_AND_CLEAR);
        is(cord_select(choices, 3, soon()), 2);
        join(other, 0);
    }
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    teardown(board);
}
ALSO_SHARED(select_of_a_socket_and_a_queue_takes_what_comes)

static int close_when_it_waits(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    eventually(waits, board->waiter);
    cord_close(&board->socket);
    return 0;
}

MODE_TEST(select_of_a_closed_socket_answers_ebadf)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    connected_pair(pair);
    cord_choice choices[] = { { .event = board->event }, { .readable = pair[0] } };
    board->socket = pair[0];
    if (mode.kind != CORD_PROCESS) { /* that closes a copy */
        cord_task *other = beside(close_when_it_waits, board, 0);
        is(cord_select(choices, 2, soon()), 1);
        is(choices[1].result, -EBADF);
        join(other, 0);
    } else
        cord_close(&board->socket);
    choices[1].result = 0;
    is(cord_select(choices, 2, CORD_NOWAIT), 1);
    is(choices[1].result, -EBADF);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "closed"));
    cord_close(&pair[1]);
    teardown(board);
}

static int recv_one(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    char byte;
    ssize_t rc = cord_recv(board->socket, &byte, 1, soon());
    return rc == 1 ? byte : (int)rc;
}

/* The select waits for its turn: it counts the socket once the other call has ended. */
MODE_TEST(select_of_a_socket_that_another_task_reads_waits_for_its_end)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    char byte;
    if (mode.kind == CORD_PROCESS)
        skip("turns are those of one process");
    connected_pair(pair);
    board->socket = pair[0];
    cord_task *reader = beside(recv_one, board, 0);
    eventually(waits, reader);
    int x = 0;
    cord_choice choices[] = { { .readable = pair[0] }, { .get = board->a, .item = &x } };
    is(cord_select(choices, 2, CORD_NOWAIT), -EAGAIN);
    cord_task *other = beside(when_it_waits, board, PUT_A);
    is(cord_select(choices, 2, soon()), 1);
    join(other, 0);
    is(cord_send(pair[1], "x", 1, soon()), 1);
    join(reader, 'x');

    reader = beside(recv_one, board, 0);
    eventually(waits, reader);
    board->socket = pair[1];
    other = beside(send_when_it_waits, board, 0); /* nine bytes: the reader takes the first */
    is(cord_select(choices, 2, soon()), 0);
    join(reader, 'h');
    join(other, 0);
    is(cord_recv(pair[0], &byte, 1, CORD_NOWAIT), 1);
    is(byte, 'e');

    board->socket = pair[0];
    reader = beside(recv_one, board, 0);
    join(reader, 'l');
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    teardown(board);
}

MODE_TEST(select_of_a_socket_closed_while_another_task_reads_answers_ebadf)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    if (mode.kind == CORD_PROCESS)
        skip("turns are those of one process");
    connected_pair(pair);
    board->socket = pair[0];
    cord_task *reader = beside(recv_one, board, 0);
    eventually(waits, reader);
    cord_choice choices[] = { { .event = board->event }, { .readable = pair[0] } };
    cord_task *other = beside(close_when_it_waits, board, 0);
    is(cord_select(choices, 2, soon()), 1);
    is(choices[1].result, -EBADF);
    join(reader, -EBADF);
    join(other, 0);
    cord_close(&pair[1]);
    teardown(board);
}

static int send_and_put(void *arg)
{
    struct board *board = ((struct job *)arg)->board;
    for (int i = 0; i < STORM; i++) {
        int rc = (int)cord_send(board->socket, "x", 1, soon());
        if (rc == 1)
            rc = cord_queue_put(board->a, &i, soon());
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* An event of the socket that came together with an item is there for the next call, also one that waits first. */
MODE_TEST(select_that_an_item_won_leaves_the_socket_its_data)
{
    cord_socket pair[2];
    struct board *board = setup(1);
    char buf[STORM];
    int items = 0, bytes = 0, x;
    connected_pair(pair);
    board->socket = pair[1];
    cord_task *other = start_kind(mode.kind == CORD_PROCESS ? CORD_PROCESS : CORD_THREAD, send_and_put,
                                  &(struct job){ board, 0 }, sizeof(struct job));
    while (items < STORM || bytes < STORM) {
        cord_choice choices[] = { { .get = board->a, .item = &x }, { .readable = pair[0] } };
        int first = cord_select(choices, 2, soon());
        ok(first);
        items += first == 0;
        if (bytes < items || first == 1) {
            ssize_t count = cord_recv(pair[0], buf, sizeof buf, soon());
            ck_assert_int_gt(count, 0);
            bytes += (int)count;
        }
    }
    is(items, STORM);
    is(bytes, STORM);
    join(other, 0);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
    teardown(board);
}
ALSO_SHARED(select_that_an_item_won_leaves_the_socket_its_data)

int main(void)
{
    return run_tests(
        "select_socket", MODE(select_of_a_socket_waits_for_data), MODE(select_of_a_full_socket_waits_for_room),
        BOTH(select_of_a_socket_and_a_queue_takes_what_comes), MODE(select_of_a_closed_socket_answers_ebadf),
        MODE(select_of_a_socket_that_another_task_reads_waits_for_its_end),
        MODE(select_of_a_socket_closed_while_another_task_reads_answers_ebadf),
        BOTH(select_that_an_item_won_leaves_the_socket_its_data), END);
}
