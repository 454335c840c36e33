/* Many datagrams a call, and trains, over udp (IPv4 and IPv6) and unix. That the kernel really carries a train as one
 * is seen by the number of entries; unix datagram sockets have no trains, so there the way without them is tried. */
#include "netkit.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>

#include "net/socket.h"

enum { MOST = 65507, ROOM = 65536, LIST = 64 };

static const char *const carriers[] = { "udp:127.0.0.1:0", "udp:[::1]:0", "unixgram:" };
#define EACH_CARRIER(name) for (const char *const *name = carriers; name < carriers + 3; name++)

/* A receiver and a sender that is connected to it and has a name of its own; false: there is no IPv6 here. */
static bool open_pair(const char *carrier, bool trains, cord_socket *receiver, cord_socket *sender)
{
    static int number;
    char address[CORD_ADDRESS_TEXT], own[CORD_ADDRESS_TEXT];
    cord_address local;
    bool is_unix = strncmp(carrier, "unix", 4) == 0;
    snprintf(address, sizeof address, is_unix ? "%s%s/r%d" : "%s", carrier, temp_dir(), ++number);
    int rc = cord_listen(receiver, address, &(cord_listen_options){ .trains = trains });
    if (rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT)
        return false;
    ok(rc);
    ok(cord_local(*receiver, &local));
    cord_address_text(&local, address, sizeof address);
    snprintf(own, sizeof own, "unixgram:%s/s%d", temp_dir(), number);
    const cord_connect_options how = { .trains = trains, .local = is_unix ? own : NULL };
    ok(cord_connect(sender, address, &how, soon()));
    return true;
}

static bool has_trains(cord_socket socket)
{
    int size, fd = cord_fileno(socket);
    socklen_t length = sizeof size;
    return getsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, &length) == 0 &&
           getsockopt(fd, SOL_UDP, UDP_GRO, &size, &length) == 0 && size == 1;
}

/* A list with `count` buffers of `room` bytes, in one piece of memory. */
static cord_datagram *new_list(size_t count, size_t room)
{
    cord_datagram *list = calloc(count, sizeof *list + room);
    ck_assert_ptr_nonnull(list);
    for (size_t i = 0; i < count; i++)
        list[i] = (cord_datagram){ .data = (char *)(list + count) + i * room, .room = room };
    return list;
}

/* Bytes that differ from place to place, NULs among them. */
static char *new_bytes(size_t size)
{
    char *bytes = malloc(size);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 >> 3);
    return bytes;
}

/* Receives until `want` bytes are there, which have to be those; each datagram of `segment`, but the last. Returns the
 * number of entries. */
static int take_train(cord_socket socket, const char *want, size_t size, size_t segment)
{
    cord_datagram *list = new_list(LIST, ROOM);
    int entries = 0;
    for (size_t came = 0; came < size;) {
        int n = cord_recv_many(socket, list, LIST, soon());
        ok(n);
        for (int i = 0; i < n; i++, entries++) {
            size_t left = size - came;
            ck_assert(list[i].size <= left && list[i].size > 0 && !list[i].truncated);
            ck_assert_uint_eq(list[i].segment, segment < left ? segment : left);
            ck_assert(list[i].size == left || list[i].size % segment == 0);
            ck_assert(memcmp(list[i].data, want + came, list[i].size) == 0);
            came += list[i].size;
        }
    }
    is(cord_recv_many(socket, list, LIST, CORD_NOWAIT), -EAGAIN);
    free(list);
    return entries;
}

MODE_TEST(many_datagrams_arrive_whole_and_in_order)
{
    static const size_t sizes[] = { 5, 0, 1, 1400, 0, 1024, 9000 };
    enum { COUNT = sizeof sizes / sizeof *sizes };
    EACH_CARRIER(carrier)
    {
        cord_socket receiver, sender;
        cord_address own;
        if (!open_pair(*carrier, false, &receiver, &sender))
            continue;
        char *bytes = new_bytes(ROOM);
        cord_datagram out[COUNT] = { 0 }, *in = new_list(LIST, ROOM);
        for (size_t i = 0; i < COUNT; i++)
            out[i] = (cord_datagram){ .data = bytes + i, .size = sizes[i] };
        is(cord_send_many(sender, out, COUNT, soon()), COUNT);
        is((long)cord_socket_sent(), COUNT);
        ok(cord_local(sender, &own));
        for (int i = 0, n; i < COUNT; i += n) {
            ok(n = cord_recv_many(receiver, in, LIST, soon()));
            for (int j = 0; j < n; j++) {
                is((long)in[j].size, (long)sizes[i + j]);
                is((long)in[j].segment, (long)sizes[i + j]);
                ck_assert(memcmp(in[j].data, bytes + i + j, in[j].size) == 0);
                ck_assert(!in[j].truncated && cord_address_equal(&in[j].peer, &own) && in[j].room == ROOM);
            }
            is(cord_send_many(receiver, in, (size_t)n, soon()), n); /* and back to where they came from */
        }
        for (int i = 0, n; i < COUNT; i += n) {
            ok(n = cord_recv_many(sender, in, LIST, soon()));
            for (int j = 0; j < n; j++)
                is((long)in[j].size, (long)sizes[i + j]);
        }
        free(in);
        free(bytes);
        cord_close(&sender);
        cord_close(&receiver);
    }
}

MODE_TEST(what_is_there_comes_in_one_call_up_to_count)
{
    char digits[] = "0123456789";
    EACH_CARRIER(carrier)
    {
        cord_socket receiver, sender;
        if (!open_pair(*carrier, false, &receiver, &sender))
            continue;
        cord_datagram out[5] = { 0 }, *in = new_list(LIST, 16);
        for (int i = 0; i < 5; i++)
            out[i] = (cord_datagram){ .data = &digits[i], .size = 2 };
        is(cord_send_many(sender, out, 5, soon()), 5);
        is(cord_recv_many(receiver, in, 2, soon()), 2);
        is(cord_recv_many(receiver, in, 1, CORD_NOWAIT), 1);
        ck_assert(memcmp(in[0].data, "23", 2) == 0);
        is(cord_recv_many(receiver, in, LIST, soon()), 2);
        ck_assert(memcmp(in[1].data, "45", 2) == 0);
        is(cord_recv_many(receiver, in, LIST, CORD_NOWAIT), -EAGAIN);
        is(cord_send_many(sender, out, 1, soon()), 1); /* after a call that found less than it asked for */
        is(cord_recv_many(receiver, in, LIST, soon()), 1);
        free(in);
        cord_close(&sender);
        cord_close(&receiver);
    }
}

MODE_TEST(datagram_of_65507_bytes_and_one_too_long)
{
    EACH_CARRIER(carrier)
    {
        cord_socket receiver, sender;
        if (!open_pair(*carrier, false, &receiver, &sender))
            continue;
        char *bytes = new_bytes(ROOM);
        cord_datagram *in = new_list(2, ROOM), out[2] = { { .data = bytes, .size = MOST }, { .data = bytes } };
        is(cord_send_many(sender, out, 2, soon()), 2);
        for (int i = 0, n; i < 2; i += n)
            ok(n = cord_recv_many(receiver, &in[i], (size_t)(2 - i), soon()));
        is((long)in[0].size, MOST);
        ck_assert(memcmp(in[0].data, bytes, MOST) == 0);
        is((long)in[1].size, 0);
        is(cord_send_many(sender, out, 1, soon()), 1);
        in[0].room = 4;
        is(cord_recv_many(receiver, in, 1, soon()), 1);
        ck_assert(in[0].truncated);
        is((long)in[0].size, 4);
        free(in);
        free(bytes);
        cord_close(&sender);
        cord_close(&receiver);
    }
}

MODE_TEST(list_that_fails_in_the_middle_tells_how_far_it_came)
{
    cord_socket receiver, sender;
    ck_assert(open_pair("udp:127.0.0.1:0", false, &receiver, &sender));
    char *bytes = new_bytes(2 * ROOM);
    cord_datagram out[4] = { { .data = bytes, .size = 3 },
                             { .data = bytes, .size = 7, .segment = 3 },
                             { .data = bytes, .size = MOST + 1 },
                             { .data = bytes, .size = 1 } };
    cord_datagram *in = new_list(LIST, 16);
    is(cord_send_many(sender, out, 4, soon()), -EMSGSIZE);
    is((long)cord_socket_sent(), 2);
    sentence_has("at most 65507 bytes");
    out[2].size = 2 * MOST + 2; /* and in a train */
    out[2].segment = MOST + 1;
    is(cord_send_many(sender, &out[2], 2, soon()), -EMSGSIZE);
    is((long)cord_socket_sent(), 0);
    is(cord_recv_many(receiver, in, LIST, soon()), 4);
    free(in);
    free(bytes);
    cord_close(&sender);
    cord_close(&receiver);
}

MODE_TEST(what_is_no_list_of_datagrams_is_refused)
{
    cord_socket pair[2], socket = { 0 };
    cord_datagram one = { .data = &(char){ 'x' }, .room = 1, .size = 1 };
    connected_pair(pair);
    is(cord_recv_many(pair[0], &one, 1, soon()), -EOPNOTSUPP);
    is(cord_send_many(pair[0], &one, 1, soon()), -EOPNOTSUPP);
    is(cord_recv_many(socket, &one, 1, soon()), -EBADF);
    is(cord_send_many(socket, &one, 1, soon()), -EBADF);
    ok(cord_listen(&socket, "udp:", NULL));
    is(cord_recv_many(socket, &one, 0, soon()), -EINVAL);
    sentence_has("0 datagrams");
    is(cord_send_many(socket, &one, 0, soon()), 0);
    is(cord_send_many(socket, &one, 1, soon()), -EDESTADDRREQ);
    is((long)cord_socket_sent(), 0);
    cord_close(&socket);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

/* The kernel's refusal comes first, what had arrived after it. */
MODE_TEST(refused_econnrefused_and_nothing_received_is_lost)
{
    cord_socket receiver, sender;
    cord_address own;
    ck_assert(open_pair("udp:127.0.0.1:0", false, &receiver, &sender));
    cord_datagram *in = new_list(LIST, 16), out = { .data = &(char[]){ "xy" }, .size = 2 };
    ok(cord_local(sender, &own));
    is(cord_send_to(receiver, "one", 3, &own, soon()), 3);
    is(cord_send_to(receiver, "two", 3, &own, soon()), 3);
    cord_close(&receiver);
    is(cord_send_many(sender, &out, 1, soon()), 1);
    is(cord_recv_many(sender, in, LIST, soon()), -ECONNREFUSED);
    is(cord_recv_many(sender, in, LIST, soon()), 2);
    ck_assert(memcmp(in[1].data, "two", 3) == 0);
    is(cord_recv_many(sender, in, LIST, cord_in(10 * CORD_MILLISECOND)), -ETIMEDOUT); /* it is told once */
    free(in);
    cord_close(&sender);
}

MODE_TEST(nothing_there_times_out_or_is_not_ready)
{
    EACH_CARRIER(carrier)
    {
        cord_socket receiver, sender;
        if (!open_pair(*carrier, true, &receiver, &sender))
            continue;
        cord_datagram *in = new_list(LIST, 16);
        is(cord_recv_many(receiver, in, LIST, CORD_NOWAIT), -EAGAIN);
        is(cord_recv_many(receiver, in, LIST, cord_in(20 * CORD_MILLISECOND)), -ETIMEDOUT);
        ok(cord_socket_timeout(receiver, 20 * CORD_MILLISECOND));
        is(cord_recv_many(receiver, in, LIST, CORD_FOREVER), -ETIMEDOUT);
        free(in);
        cord_close(&sender);
        cord_close(&receiver);
    }
}

MODE_TEST(reading_shut_down_answers_zero)
{
    cord_socket receiver, sender;
    ck_assert(open_pair("udp:127.0.0.1:0", false, &receiver, &sender));
    cord_datagram *in = new_list(LIST, 16);
    ok(cord_shutdown(sender, SHUT_RD));
    is(cord_recv_many(sender, in, LIST, soon()), 0);
    free(in);
    cord_close(&sender);
    cord_close(&receiver);
}

static int recv_many_from_it(void *arg)
{
    char byte;
    cord_datagram in = { .data = &byte, .room = 1 };
    return cord_recv_many(*(cord_socket *)arg, &in, 1, soon());
}

MODE_TEST(wait_ends_by_datagram_cancel_or_close)
{
    EACH_CARRIER(carrier)
    {
        cord_socket receiver, sender;
        if (!open_pair(*carrier, false, &receiver, &sender))
            continue;
        cord_task *task = start(recv_many_from_it, &receiver, sizeof receiver);
        let_it_begin();
        is(cord_send(sender, "x", 1, soon()), 1);
        join(task, 1);
        task = start(recv_many_from_it, &receiver, sizeof receiver);
        let_it_begin();
        cord_task_cancel(task);
        join(task, -ECANCELED);
        task = start_beside(recv_many_from_it, &receiver, sizeof receiver);
        until_busy(receiver, CORDI_READ);
        cord_close(&receiver);
        join(task, -EBADF);
        cord_close(&sender);
    }
}

static const cord_datagram small = { .data = &(char[]){ "small" }, .size = 5 };

/* connected or by address: the kernel tells of room only in the first case */
MODE_TEST(full_queue_of_a_unix_socket_times_out_and_tells_how_far_it_came)
{
    for (int by_address = 0; by_address < 2; by_address++) {
        cord_socket receiver, sender;
        cord_datagram *out = calloc(2000, sizeof *out), *in = new_list(LIST, 16);
        ck_assert(open_pair("unixgram:", false, &receiver, &sender));
        for (int i = 0; i < 2000; i++) {
            out[i] = small;
            if (by_address)
                ok(cord_local(receiver, &out[i].peer));
        }
        is(cord_send_many(sender, out, 2000, cord_in(30 * CORD_MILLISECOND)), -ETIMEDOUT);
        long sent = (long)cord_socket_sent(), came = 0;
        ck_assert(sent > 0 && sent < 2000);
        is(cord_send_many(sender, out, 1, CORD_NOWAIT), -EAGAIN);
        is((long)cord_socket_sent(), 0);
        for (int n; (n = cord_recv_many(receiver, in, LIST, CORD_NOWAIT)) > 0;)
            came += n;
        is(came, sent);
        free(in);
        free(out);
        cord_close(&sender);
        cord_close(&receiver);
    }
}

/* Sends a train of more than a queue holds; the socket is its argument. */
static int send_long_train(void *arg)
{
    enum { SIZE = 100 * 1000 + 7 };
    char *bytes = new_bytes(SIZE);
    cord_datagram train = { .data = bytes, .size = SIZE, .segment = 1000 };
    int rc = cord_send_many(*(cord_socket *)arg, &train, 1, soon());
    free(bytes);
    return rc;
}

MODE_TEST(train_without_the_kernels_help_goes_one_by_one)
{
    cord_socket receiver, sender;
    char *bytes = new_bytes(100007);
    ck_assert(open_pair("unixgram:", true, &receiver, &sender));
    ck_assert(!has_trains(receiver));
    cord_task *task = start(send_long_train, &sender, sizeof sender);
    is(take_train(receiver, bytes, 100007, 1000), 101);
    join(task, 1);
    free(bytes);
    cord_close(&sender);
    cord_close(&receiver);
}

MODE_TEST(train_is_carried_as_one)
{
    for (int v6 = 0; v6 < 2; v6++) {
        cord_socket receiver, sender;
        if (!open_pair(carriers[v6], true, &receiver, &sender))
            continue;
        if (!has_trains(receiver))
            skip("no UDP_GRO in this kernel");
        char *bytes = new_bytes(2 * ROOM);
        cord_datagram out = { .data = bytes, .size = 50 * 64, .segment = 64 };
        is(cord_send_many(sender, &out, 1, soon()), 1);
        is(take_train(receiver, bytes, out.size, 64), 1);
        out.size = 50 * 64 - 1; /* the last one is shorter */
        is(cord_send_many(sender, &out, 1, soon()), 1);
        is(take_train(receiver, bytes, out.size, 64), 1);
        out.size = 200 * 64; /* 64 at most go at once */
        is(cord_send_many(sender, &out, 1, soon()), 1);
        is(take_train(receiver, bytes, out.size, 64), 4);
        out.size = 60 * 1400, out.segment = 1400; /* or 65507 bytes */
        is(cord_send_many(sender, &out, 1, soon()), 1);
        is(take_train(receiver, bytes, out.size, 1400), 2);
        out.size = 10, out.segment = 10; /* a train of one */
        is(cord_send_many(sender, &out, 1, soon()), 1);
        is(take_train(receiver, bytes, 10, 10), 1);
        free(bytes);
        cord_close(&sender);
        cord_close(&receiver);
    }
}

/* Who does not ask for trains gets the same bytes as single datagrams, by either call. */
MODE_TEST(train_arrives_as_datagrams_where_nobody_asked_for_it)
{
    cord_socket receiver, sender;
    char *bytes = new_bytes(64 * 64), buf[100];
    ck_assert(open_pair("udp:127.0.0.1:0", false, &receiver, &sender));
    cord_datagram out = { .data = bytes, .size = 50 * 64, .segment = 64 };
    is(cord_send_many(sender, &out, 1, soon()), 1);
    is(take_train(receiver, bytes, out.size, 64), 50);
    is(cord_send_many(sender, &out, 1, soon()), 1);
    for (int i = 0; i < 50; i++)
        is(cord_recv(receiver, buf, sizeof buf, soon()), 64);
    free(bytes);
    cord_close(&sender);
    cord_close(&receiver);
}

/* A kernel cuts nothing for a socket without checksums. */
MODE_TEST(train_that_the_kernel_refuses_goes_one_by_one)
{
    cord_socket receiver, sender;
    char *bytes = new_bytes(64 * 64);
    ck_assert(open_pair("udp:127.0.0.1:0", false, &receiver, &sender));
    ck_assert_int_eq(setsockopt(cord_fileno(sender), SOL_SOCKET, SO_NO_CHECK, &(int){ 1 }, sizeof(int)), 0);
    cord_datagram out[2] = { { .data = bytes, .size = 20 * 64, .segment = 64 },
                             { .data = bytes + 20 * 64, .size = 20 * 64 - 3, .segment = 64 } };
    is(cord_send_many(sender, out, 2, soon()), 2);
    is(take_train(receiver, bytes, 40 * 64 - 3, 64), 40);
    free(bytes);
    cord_close(&sender);
    cord_close(&receiver);
}

/* A kernel that does not know UDP_SEGMENT is not asked: it would send the train as one datagram. */
MODE_TEST(train_where_the_kernel_knows_none_goes_one_by_one)
{
    cord_socket receiver, sender;
    char *bytes = new_bytes(64 * 64);
    ck_assert(open_pair("udp:127.0.0.1:0", false, &receiver, &sender));
    struct cordi_io *io = cordi_io_get(sender.id);
    cordi_socket_of(io)->cuts = -1; /* what is noted there */
    cordi_io_put(io);
    cord_datagram out = { .data = bytes, .size = 50 * 64, .segment = 64 };
    is(cord_send_many(sender, &out, 1, soon()), 1);
    is(take_train(receiver, bytes, out.size, 64), 50);
    free(bytes);
    cord_close(&sender);
    cord_close(&receiver);
}

MODE_TEST(plain_recv_where_trains_arrive_eopnotsupp)
{
    EACH_CARRIER(carrier)
    {
        char byte;
        cord_socket receiver, sender;
        if (!open_pair(*carrier, true, &receiver, &sender))
            continue;
        is(cord_send(sender, "x", 1, soon()), 1);
        is(cord_recv(receiver, &byte, 1, soon()), -EOPNOTSUPP);
        sentence_has("cord_recv_many");
        is(cord_recv_from(receiver, &byte, 1, NULL, NULL, soon()), -EOPNOTSUPP);
        cord_datagram in = { .data = &byte, .room = 1 };
        is(cord_recv_many(receiver, &in, 1, soon()), 1); /* nothing was lost by asking */
        cord_close(&sender);
        cord_close(&receiver);
    }
}

MODE_TEST(trains_and_datagrams_to_several_peers_in_one_list)
{
    cord_socket a, b, sender = { 0 }, unused;
    cord_address to_a, to_b;
    ck_assert(open_pair("udp:127.0.0.1:0", true, &a, &unused));
    cord_close(&unused);
    ck_assert(open_pair("udp:127.0.0.1:0", false, &b, &unused));
    ok(cord_local(a, &to_a));
    ok(cord_local(b, &to_b));
    ok(cord_listen(&sender, "udp:127.0.0.1:0", NULL));
    char *bytes = new_bytes(ROOM);
    cord_datagram out[] = {
        { .data = bytes, .size = 640, .segment = 64, .peer = to_a },
        { .data = bytes, .size = 100, .peer = to_b },
        { .data = bytes + 640, .size = 64, .peer = to_a },
        { .data = bytes + 100, .size = 200, .segment = 100, .peer = to_b },
        { .data = bytes + 704, .size = 64 * 150, .segment = 64, .peer = to_a },
    };
    is(cord_send_many(sender, out, 5, soon()), 5);
    take_train(a, bytes, 64 * 161, 64);
    is(take_train(b, bytes, 300, 100), 3);
    free(bytes);
    cord_close(&sender);
    cord_close(&unused);
    cord_close(&a);
    cord_close(&b);
}

int main(void)
{
    return run_tests(
        "datagram", MODE(many_datagrams_arrive_whole_and_in_order), MODE(what_is_there_comes_in_one_call_up_to_count),
        MODE(datagram_of_65507_bytes_and_one_too_long), MODE(list_that_fails_in_the_middle_tells_how_far_it_came),
        MODE(what_is_no_list_of_datagrams_is_refused), MODE(refused_econnrefused_and_nothing_received_is_lost),
        MODE(nothing_there_times_out_or_is_not_ready), MODE(reading_shut_down_answers_zero),
        MODE(wait_ends_by_datagram_cancel_or_close),
        MODE(full_queue_of_a_unix_socket_times_out_and_tells_how_far_it_came),
        MODE(train_without_the_kernels_help_goes_one_by_one), MODE(train_is_carried_as_one),
        MODE(train_arrives_as_datagrams_where_nobody_asked_for_it), MODE(train_that_the_kernel_refuses_goes_one_by_one),
        MODE(train_where_the_kernel_knows_none_goes_one_by_one), MODE(plain_recv_where_trains_arrive_eopnotsupp),
        MODE(trains_and_datagrams_to_several_peers_in_one_list), END);
}
