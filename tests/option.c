/* Socket options: each is set and read, and refused where it has no meaning. */
#include "netkit.h"

#include <netinet/tcp.h>
#include <netinet/in.h>

static int64_t get(cord_socket socket, cord_option option)
{
    int64_t value = -99;
    ok(cord_option_get(socket, option, &value));
    return value;
}

MODE_TEST(option_set_is_read_back)
{
    static const struct {
        cord_option option;
        int64_t value, read;
    } table[] = {
        { CORD_NO_DELAY, 0, 0 },
        { CORD_NO_DELAY, 1, 1 },
        { CORD_KEEP_ALIVE, 1, 1 },
        { CORD_REUSE_ADDRESS, 0, 0 },
        { CORD_REUSE_ADDRESS, 1, 1 },
        { CORD_REUSE_PORT, 1, 1 },
        { CORD_RECV_BUFFER, 8192, 16384 },
        { CORD_SEND_BUFFER, 8192, 16384 },
        { CORD_LINGER, 5, 5 },
        { CORD_LINGER, 0, 0 },
        { CORD_LINGER, -1, -1 },
        { CORD_USER_TIMEOUT, 1500, 1500 },
    };
    cord_socket pair[2];
    connected_pair(pair);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        ok(cord_option_set(pair[0], table[i].option, table[i].value));
        is(get(pair[0], table[i].option), table[i].read);
    }
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

MODE_TEST(option_really_reaches_the_system)
{
    cord_socket pair[2];
    int value = -1;
    socklen_t length = sizeof value;
    connected_pair(pair);
    ok(cord_option_set(pair[0], CORD_USER_TIMEOUT, 1234));
    ck_assert_int_eq(getsockopt(cord_fileno(pair[0]), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &length), 0);
    ck_assert_int_eq(value, 1234);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

MODE_TEST(no_delay_is_on_at_both_ends_unless_nagle)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = listen_anywhere(address, "tcp"), client = { 0 }, server = { 0 };
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_accept(listener, &server, NULL, soon()));
    is(get(client, CORD_NO_DELAY), 1);
    is(get(server, CORD_NO_DELAY), 1);
    cord_close(&client);
    ok(cord_connect(&client, address, &(cord_connect_options){ .nagle = true }, soon()));
    is(get(client, CORD_NO_DELAY), 0);
    is(get(listener, CORD_REUSE_ADDRESS), 1);
    is(get(listener, CORD_LISTENING), 1);
    is(get(client, CORD_LISTENING), 0);
    cord_close(&client);
    cord_close(&server);
    cord_close(&listener);
}

MODE_TEST(option_wrong_value_or_place_is_refused)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket pair[2], udp = listen_anywhere(address, "udp");
    int64_t value;
    connected_pair(pair);
    is(cord_option_set(pair[0], CORD_NO_DELAY, 2), -EINVAL);
    sentence_has("CORD_NO_DELAY");
    is(cord_option_set(pair[0], CORD_RECV_BUFFER, 0), -EINVAL);
    is(cord_option_set(pair[0], CORD_LINGER, -2), -EINVAL);
    is(cord_option_set(pair[0], CORD_LINGER, INT64_C(1) << 40), -EINVAL);
    is(cord_option_set(pair[0], CORD_PENDING_ERROR, 0), -EINVAL);
    is(cord_option_set(pair[0], CORD_LISTENING, 1), -EINVAL);
    is(cord_option_set(pair[0], (cord_option)0, 1), -EINVAL);
    is(cord_option_set(pair[0], (cord_option)99, 1), -EINVAL);
    is(cord_option_get(pair[0], (cord_option)99, &value), -EINVAL);
    is(cord_option_set(udp, CORD_NO_DELAY, 1), -EOPNOTSUPP);
    is(cord_option_get(udp, CORD_USER_TIMEOUT, &value), -EOPNOTSUPP);
    ok(cord_option_set(udp, CORD_BROADCAST, 1));
    is(get(udp, CORD_BROADCAST), 1);
    cord_close(&udp);
    cord_close(&pair[0]);
    cord_close(&pair[1]);
}

static bool has_error(void *arg)
{
    struct {
        cord_socket socket;
        int64_t error;
    } *this = arg;
    return cord_option_get(this->socket, CORD_PENDING_ERROR, &this->error) == 0 && this->error != 0;
}

MODE_TEST(pending_error_is_told_once)
{
    char address[CORD_ADDRESS_TEXT];
    struct {
        cord_socket socket;
        int64_t error;
    } client = { 0 };
    cord_socket server = listen_anywhere(address, "udp");
    cord_close(&server);
    ok(cord_connect(&client.socket, address, NULL, soon()));
    is(cord_send(client.socket, "x", 1, soon()), 1);
    eventually(has_error, &client);
    is(client.error, ECONNREFUSED);
    is(get(client.socket, CORD_PENDING_ERROR), 0);
    cord_close(&client.socket);
}

int main(void)
{
    return run_tests("option", MODE(option_set_is_read_back), MODE(option_really_reaches_the_system),
                     MODE(no_delay_is_on_at_both_ends_unless_nagle), MODE(option_wrong_value_or_place_is_refused),
                     MODE(pending_error_is_told_once), END);
}
