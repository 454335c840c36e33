/* Addresses as text: what is read, what is printed, what a malformed one is told. */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static const char *text_of(const cord_address *address)
{
    static char text[CORD_ADDRESS_TEXT];
    return cord_address_text(address, text, sizeof text);
}

PLAIN_TEST(parse_each_form_prints_the_short_one)
{
    static const char *const table[][2] = {
        { "tcp:127.0.0.1:9090", "tcp:127.0.0.1:9090" },
        { "127.0.0.1:9090", "tcp:127.0.0.1:9090" },
        { ":80", "tcp:127.0.0.1:80" },
        { "tcp:80", "tcp:127.0.0.1:80" },
        { "tcp:*:7788", "tcp:*:7788" },
        { "tcp:0.0.0.0:7788", "tcp:*:7788" },
        { "tcp://10.0.0.1:1", "tcp:10.0.0.1:1" },
        { "udp:127.0.0.1:0", "udp:127.0.0.1:0" },
        { "udp:", "udp:*:0" },
        { "udp:255.255.255.255:65535", "udp:255.255.255.255:65535" },
        { "tcp:[::1]:80", "tcp:[::1]:80" },
        { "[::1]:80", "tcp:[::1]:80" },
        { "udp://[0:0::1]:80", "udp:[::1]:80" },
        { "tcp:[fe80::1%1]:80", "tcp:[fe80::1%1]:80" },
        { "tcp:[fe80::1%lo]:80", "tcp:[fe80::1%1]:80" },
        { "tcp:[::ffff:1.2.3.4]:80", "tcp:[::ffff:1.2.3.4]:80" },
        { "unix:/tmp/s", "unix:/tmp/s" },
        { "unix:///tmp/s", "unix:/tmp/s" },
        { "unix:s", "unix:s" },
        { "unix:@name", "unix:@name" },
        { "unixgram:/tmp/a:b", "unixgram:/tmp/a:b" },
        { "unixgram:@a b", "unixgram:@a b" },
        { "fd:3", "fd:3" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cord_address address, again;
        ok(cord_address_parse(&address, table[i][0]));
        ck_assert_str_eq(text_of(&address), table[i][1]);
        ok(cord_address_parse(&again, table[i][1]));
        ck_assert(cord_address_equal(&address, &again));
    }
}

PLAIN_TEST(parse_malformed_says_what_to_write)
{
    static const struct {
        const char *text;
        int code;
        const char *sentence;
    } table[] = {
        { "localhost", CORD_EADDRESS, "\"localhost\": no port; write tcp:localhost:PORT" },
        { "", CORD_EADDRESS, "\"\": no port; write tcp:127.0.0.1:PORT" },
        { "tcp:", CORD_EADDRESS, "\"tcp:\": no port; write tcp:127.0.0.1:PORT" },
        { "udp:h:", CORD_EADDRESS, "\"udp:h:\": no port; write udp:h:PORT" },
        { "tcp::80", CORD_EADDRESS,
          "\"tcp::80\": empty host; write tcp:127.0.0.1:80, or tcp:*:80 for every interface" },
        { "tcp:127.0.0.1:65536", CORD_EADDRESS, "\"tcp:127.0.0.1:65536\": port 65536 is over 65535" },
        { "tcp:h:99999999999999999999", CORD_EADDRESS,
          "\"tcp:h:99999999999999999999\": port 99999999999999999999 is over 65535" },
        { "tcp:h:http", CORD_EADDRESS, "\"tcp:h:http\": port \"http\" is not a number from 0 to 65535" },
        { "tcp:h:-1", CORD_EADDRESS, "\"tcp:h:-1\": port \"-1\" is not a number from 0 to 65535" },
        { "tcp:h:80 ", CORD_EADDRESS, "\"tcp:h:80 \": port \"80 \" is not a number from 0 to 65535" },
        { "tcp:h:000080", CORD_EADDRESS, "\"tcp:h:000080\": port \"000080\" is not a number from 0 to 65535" },
        { "tpc:127.0.0.1:80", CORD_EADDRESS, "\"tpc:127.0.0.1:80\": unknown scheme \"tpc\"; did you mean tcp?" },
        { "unxi:/tmp/s", CORD_EADDRESS, "\"unxi:/tmp/s\": unknown scheme \"unxi\"; did you mean unix?" },
        { "http://h:80", CORD_EADDRESS,
          "\"http://h:80\": unknown scheme \"http\"; write tcp:, udp:, unix:, unixgram: or fd:" },
        { "::1", CORD_EADDRESS, "\"::1\": too many colons; an IPv6 address stands in brackets: tcp:[::1]:PORT" },
        { "tcp:[::1:80", CORD_EADDRESS, "\"tcp:[::1:80\": \"[\" without \"]\"" },
        { "tcp:[::1]", CORD_EADDRESS, "\"tcp:[::1]\": no port; write tcp:[::1]:PORT" },
        { "tcp:[::1]80", CORD_EADDRESS, "\"tcp:[::1]80\": after \"]\" comes :PORT" },
        { "tcp:[::g]:80", CORD_EADDRESS, "\"tcp:[::g]:80\": what stands in brackets is no IPv6 address" },
        { "tcp:[::1%nosuch]:80", CORD_EADDRESS, "\"tcp:[::1%nosuch]:80\": there is no network interface \"nosuch\"" },
        { "tcp:127.1:80", CORD_EADDRESS,
          "\"tcp:127.1:80\": \"127.1\" is no IPv4 address; it has four numbers, as 127.0.0.1" },
        { "tcp:1.2.3.256:80", CORD_EADDRESS,
          "\"tcp:1.2.3.256:80\": \"1.2.3.256\" is no IPv4 address; it has four numbers, as 127.0.0.1" },
        { "tcp:a b:80", CORD_EADDRESS, "\"tcp:a b:80\": no host name has the character \" \"" },
        { "unix:", CORD_EADDRESS, "\"unix:\": no path; write unix:/path or unix:@name" },
        { "unixgram:@", CORD_EADDRESS, "\"unixgram:@\": no path; write unixgram:/path or unixgram:@name" },
        { "fd:", CORD_EADDRESS, "\"fd:\": no descriptor; write fd:NUMBER" },
        { "fd:x", CORD_EADDRESS, "\"fd:x\": no descriptor; write fd:NUMBER" },
        { "a\nb", CORD_EADDRESS, "\"a?b\": no port; write tcp:a?b:PORT" },
        { "tcp:localhost:80", CORD_ERESOLVE, "tcp:localhost:80: a name, not a number; it has to be looked up" },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cord_address address;
        is(cord_address_parse(&address, table[i].text), table[i].code);
        ck_assert_str_eq(cord_error_detail(), table[i].sentence);
    }
}

PLAIN_TEST(parse_long_path_fits_up_to_107)
{
    char text[200] = "unix:/";
    cord_address address;
    memset(text + 6, 'x', 106);
    ok(cord_address_parse(&address, text));
    ck_assert_str_eq(text_of(&address), text);
    text[112] = 'x';
    is(cord_address_parse(&address, text), CORD_EADDRESS);
    ck_assert_ptr_nonnull(strstr(cord_error_detail(), "the path has 108 bytes; at most 107 are possible"));
}

/* Any bytes are either an address, which then reads its own text as itself, or an error with a sentence. */
PLAIN_TEST(parse_random_bytes_is_total)
{
    static const char *const pieces[] = { "tcp:", "udp:",      "unix:", "fd:", "[",    "]",     ":",
                                          "::1",  "127.0.0.1", "80",    "@",   "//",   "*",     "%",
                                          "a",    ".",         "-",     " ",   "\xff", "65536", "localhost" };
    unsigned seed = 20251120;
    int parsed = 0;
    for (int round = 0; round < 200000; round++) {
        char text[300] = "";
        int count = rand_r(&seed) % 7;
        for (int i = 0; i < count; i++)
            if (rand_r(&seed) % 4 > 0)
                strcat(text, pieces[(size_t)rand_r(&seed) % (sizeof pieces / sizeof *pieces)]);
            else
                strncat(text, (char[]){ (char)(rand_r(&seed) % 255 + 1) }, 1);
        cord_address address, again;
        int rc = cord_address_parse(&address, text);
        if (rc == 0) {
            parsed++;
            const char *shown = text_of(&address);
            if (strchr(shown, '?') == NULL) {
                ck_assert_msg(cord_address_parse(&again, shown) == 0, "%s became %s", text, shown);
                ck_assert_msg(cord_address_equal(&address, &again), "%s became %s", text, shown);
            }
        } else {
            ck_assert(rc == CORD_EADDRESS || rc == CORD_ERESOLVE);
            ck_assert_str_ne(cord_error_detail(), "");
        }
    }
    ck_assert_int_gt(parsed, 1000);
}

PLAIN_TEST(from_sockaddr_and_back)
{
    cord_address address;
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(53) };
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok(cord_address_from(&address, CORD_UDP, (struct sockaddr *)&v4, sizeof v4));
    ck_assert_str_eq(text_of(&address), "udp:127.0.0.1:53");
    struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/a" };
    ok(cord_address_from(&address, CORD_UNIX, (struct sockaddr *)&un, sizeof un));
    ck_assert_str_eq(text_of(&address), "unix:/a");
    ok(cord_address_from(&address, CORD_UNIX, (struct sockaddr *)&un, sizeof un.sun_family));
    ck_assert_str_eq(text_of(&address), "unix:");
    is(address.length, 0);
    is(cord_address_from(&address, CORD_TCP, (struct sockaddr *)&un, sizeof un), -EAFNOSUPPORT);
    is(cord_address_from(&address, CORD_UNIX, (struct sockaddr *)&v4, sizeof v4), -EAFNOSUPPORT);
    is(cord_address_from(&address, CORD_TCP, (struct sockaddr *)&v4, 4), -EAFNOSUPPORT);
    is(cord_address_from(&address, CORD_FD, (struct sockaddr *)&v4, sizeof v4), -EAFNOSUPPORT);
}

PLAIN_TEST(port_and_host_of_each_transport)
{
    cord_address address;
    char host[CORD_ADDRESS_TEXT];
    ok(cord_address_parse(&address, "tcp:[::1]:80"));
    is(cord_address_port(&address), 80);
    cord_address_port_set(&address, 65535);
    is(cord_address_port(&address), 65535);
    ck_assert_str_eq(cord_address_host(&address, host, sizeof host), "::1");
    ok(cord_address_parse(&address, "udp:*:80"));
    ck_assert_str_eq(cord_address_host(&address, host, sizeof host), "0.0.0.0");
    ok(cord_address_parse(&address, "unix:/tmp/s"));
    is(cord_address_port(&address), 0);
    cord_address_port_set(&address, 80);
    ck_assert_str_eq(cord_address_host(&address, host, sizeof host), "/tmp/s");
    ck_assert_str_eq(cord_address_host(&address, host, 3), "/t");
    ok(cord_address_parse(&address, "fd:0"));
    ck_assert_str_eq(cord_address_host(&address, host, sizeof host), "");
}

PLAIN_TEST(equal_looks_at_transport_host_and_port)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } table[] = {
        { "tcp:127.0.0.1:80", "127.0.0.1:80", true },
        { "tcp:127.0.0.1:80", "udp:127.0.0.1:80", false },
        { "tcp:127.0.0.1:80", "tcp:127.0.0.1:81", false },
        { "tcp:127.0.0.1:80", "tcp:127.0.0.2:80", false },
        { "tcp:[::1]:80", "tcp:[0::1]:80", true },
        { "tcp:[::1]:80", "tcp:[::2]:80", false },
        { "unix:/a", "unix:/a", true },
        { "unix:/a", "unix:/b", false },
        { "unix:@a", "unix:@a", true },
        { "unix:@a", "unix:@ab", false },
        { "unix:@a", "unix:a", false },
        { "fd:1", "fd:2", false },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cord_address a, b;
        ok(cord_address_parse(&a, table[i].a));
        ok(cord_address_parse(&b, table[i].b));
        ck_assert_msg(cord_address_equal(&a, &b) == table[i].equal, "%s and %s", table[i].a, table[i].b);
    }
}

PLAIN_TEST(text_is_cut_to_the_buffer)
{
    cord_address address;
    char small[6];
    ok(cord_address_parse(&address, "tcp:127.0.0.1:80"));
    ck_assert_str_eq(cord_address_text(&address, small, sizeof small), "tcp:1");
}

int main(void)
{
    return run_tests("address", PLAIN(parse_each_form_prints_the_short_one), PLAIN(parse_malformed_says_what_to_write),
                     PLAIN(parse_long_path_fits_up_to_107), PLAIN(parse_random_bytes_is_total),
                     PLAIN(from_sockaddr_and_back), PLAIN(port_and_host_of_each_transport),
                     PLAIN(equal_looks_at_transport_host_and_port), PLAIN(text_is_cut_to_the_buffer), END);
}
