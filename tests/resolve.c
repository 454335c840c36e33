/* Names: looked up off the loop, tried in turn. The tests that need names of their own run in a private network and
 * mount namespace, with a hosts file of their own and a name server that never answers. */
#include "netkit.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

static const char hosts[] = "127.0.0.1 localhost\n::1 localhost\n"
                            "127.0.0.2 both.test\n::1 both.test\n127.0.0.3 both.test\n"
                            "127.0.0.2 two.test\n127.0.0.1 two.test\n";

static void put_over(const char *target, const char *name, const char *text)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s", temp_dir(), name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    if (mount(path, target, "none", MS_BIND, NULL) < 0)
        skip("a private /etc cannot be made here");
}

/* Silent name server: returns its descriptor. */
static int enter_private_network(void)
{
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0)
        skip("no private network without privilege");
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
        skip("a private /etc cannot be made here");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
    struct sockaddr_in dns = { .sin_family = AF_INET, .sin_port = htons(53) };
    dns.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&dns, sizeof dns), 0);
    put_over("/etc/hosts", "hosts", hosts);
    put_over("/etc/resolv.conf", "resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    return fd;
}

/* Runs fn as a task of each kind, in this process's namespaces. */
static void in_each_kind(cord_fn *fn)
{
    static const cord_kind kinds[] = { CORD_COROUTINE, CORD_THREAD, CORD_PROCESS, CORD_SERIAL };
    for (int i = 0; i < 4; i++) {
        cord_task *task = NULL;
        ok(cord_task_start(&task, fn, NULL, 0, &(cord_task_options){ .kind = kinds[i] }));
        join(task, 0);
    }
}

static int resolve_hosts(void *unused)
{
    (void)unused;
    cord_address list[8];
    char text[CORD_ADDRESS_TEXT];
    is(cord_address_resolve(list, 8, "tcp:both.test:80", soon()), 3);
    int v6_at = -1;
    for (int i = 0; i < 3; i++) {
        is(cord_address_port(&list[i]), 80);
        cord_address_text(&list[i], text, sizeof text);
        if (strcmp(text, "tcp:[::1]:80") == 0)
            v6_at = i;
    }
    ck_assert(v6_at == 0 || v6_at == 1); /* the families take turns */
    is(cord_address_resolve(list, 1, "udp:both.test:80", soon()), 1);
    is(list[0].transport, CORD_UDP);
    is(cord_address_resolve(list, 0, "udp:both.test:80", soon()), 0);
    is(cord_address_resolve(list, 8, "udp:127.0.0.1:80", CORD_NOWAIT), 1); /* a number needs no look-up */
    is(cord_address_resolve(list, 8, "both.test", soon()), CORD_EADDRESS);
    return 0;
}

PLAIN_TEST(name_of_several_addresses_gives_all_interleaved)
{
    int dns = enter_private_network();
    in_each_kind(resolve_hosts);
    close(dns);
}

static int resolve_in_vain(void *unused)
{
    (void)unused;
    cord_address address;
    cord_socket socket = { 0 };
    int64_t begun = cord_now();
    is(cord_address_resolve(&address, 1, "tcp:nobody.test:80", cord_in(50 * CORD_MILLISECOND)), -ETIMEDOUT);
    sentence_has("tcp:nobody.test:80: ");
    is(cord_connect(&socket, "tcp:nobody.test:80", NULL, cord_in(50 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_lt(cord_now() - begun, 900 * CORD_MILLISECOND);
    return 0;
}

/* The look-ups go on behind, for a second; the test's end waits for what they leave. */
PLAIN_TEST(name_server_that_is_dead_deadline_passes)
{
    int dns = enter_private_network();
    in_each_kind(resolve_in_vain);
    ok(cord_sleep(1500 * CORD_MILLISECOND));
    close(dns);
}

static int resolve_cancelled(void *unused)
{
    (void)unused;
    cord_address address;
    return cord_address_resolve(&address, 1, "tcp:nobody.test:80", soon());
}

PLAIN_TEST(name_look_up_cancelled_ecanceled)
{
    int dns = enter_private_network();
    static const cord_kind kinds[] = { CORD_COROUTINE, CORD_THREAD, CORD_PROCESS };
    for (int i = 0; i < 3; i++) {
        cord_task *task = NULL;
        ok(cord_task_start(&task, resolve_cancelled, NULL, 0, &(cord_task_options){ .kind = kinds[i] }));
        let_it_begin();
        cord_task_cancel(task);
        join(task, -ECANCELED);
    }
    ok(cord_sleep(1500 * CORD_MILLISECOND));
    close(dns);
}

static int count_while(void *arg)
{
    int *count = *(int **)arg;
    int rc = 0;
    while (rc >= 0 && *count >= 0) {
        ++*count;
        rc = cord_sleep(5 * CORD_MILLISECOND);
    }
    return rc < 0 ? rc : 0;
}

static int resolve_beside(void *unused)
{
    (void)unused;
    int count = 0, *counter = &count;
    cord_address address;
    cord_task *other = NULL;
    ok(cord_task_start(&other, count_while, &counter, sizeof counter, NULL));
    is(cord_address_resolve(&address, 1, "tcp:nobody.test:80", cord_in(200 * CORD_MILLISECOND)), -ETIMEDOUT);
    ck_assert_int_gt(count, 5);
    count = -2;
    join(other, 0);
    return 0;
}

PLAIN_TEST(name_look_up_lets_the_loop_run)
{
    int dns = enter_private_network();
    ok(cord_run(resolve_beside, NULL, NULL));
    ok(cord_sleep(1500 * CORD_MILLISECOND));
    close(dns);
}

MODE_TEST(name_unknown_eresolve_with_its_reason)
{
    cord_socket socket = { 0 };
    is(cord_connect(&socket, "tcp:no-such-host.invalid:80", NULL, cord_in(15 * CORD_SECOND)), CORD_ERESOLVE);
    sentence_has("tcp:no-such-host.invalid:80: ");
    ck_assert(strstr(cord_error_detail(), "name or service not known") != NULL ||
              strstr(cord_error_detail(), "temporary failure in name resolution") != NULL);
    is(cord_listen(&socket, "tcp:no-such-host.invalid:80", NULL), CORD_ERESOLVE);
}

MODE_TEST(localhost_is_listened_on_and_connected_to)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket listener = { 0 }, client = { 0 }, server = { 0 };
    cord_address local;
    ok(cord_listen(&listener, "tcp:localhost:0", NULL));
    ok(cord_local(listener, &local));
    ck_assert_str_eq(cord_address_host(&local, address, sizeof address), "127.0.0.1");
    snprintf(address, sizeof address, "localhost:%u", cord_address_port(&local));
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_accept(listener, &server, NULL, soon()));
    cord_close(&client);
    cord_close(&server);
    cord_close(&listener);
}

/* ---- happy eyeballs ---- */

static cord_socket listen_on(const cord_address *address, int backlog)
{
    cord_socket ret = { 0 };
    char text[CORD_ADDRESS_TEXT];
    ok(cord_listen(&ret, cord_address_text(address, text, sizeof text), &(cord_listen_options){ .backlog = backlog }));
    return ret;
}

static int race_past_a_black_hole(void *unused)
{
    (void)unused;
    cord_address list[4], peer;
    cord_socket queued[8] = { { 0 } }, client = { 0 };
    int count = 0;
    is(cord_address_resolve(list, 4, "tcp:two.test:7001", soon()), 2);
    cord_socket hole = listen_on(&list[0], 1), second = listen_on(&list[1], 0);
    char text[CORD_ADDRESS_TEXT];
    cord_address_text(&list[0], text, sizeof text);
    while (count < 8 && cord_connect(&queued[count], text, NULL, cord_in(100 * CORD_MILLISECOND)) == 0)
        count++;
    int64_t begun = cord_now();
    ok(cord_connect(&client, "tcp:two.test:7001", NULL, soon()));
    ck_assert_int_ge(cord_now() - begun, 240 * CORD_MILLISECOND);
    ck_assert_int_lt(cord_now() - begun, 900 * CORD_MILLISECOND); /* before the kernel tries the first again */
    ok(cord_peer(client, &peer));
    ck_assert(cord_address_equal(&peer, &list[1]));
    cord_close(&client);
    while (count > 0)
        cord_close(&queued[--count]);
    cord_close(&second);
    cord_close(&hole);
    return 0;
}

PLAIN_TEST(connect_goes_on_to_the_next_after_250_ms)
{
    int dns = enter_private_network();
    in_each_kind(race_past_a_black_hole);
    close(dns);
}

static int race_past_a_refusal(void *unused)
{
    (void)unused;
    cord_address list[4], peer;
    cord_socket client = { 0 };
    is(cord_address_resolve(list, 4, "tcp:two.test:7001", soon()), 2);
    int64_t begun = cord_now();
    is(cord_connect(&client, "tcp:two.test:7001", NULL, soon()), -ECONNREFUSED);
    sentence_is("tcp:two.test:7001: connection refused; nothing listens there");
    cord_socket second = listen_on(&list[1], 0);
    ok(cord_connect(&client, "two.test:7001", NULL, soon()));
    ck_assert_int_lt(cord_now() - begun, 240 * CORD_MILLISECOND); /* a refusal is not waited on */
    ok(cord_peer(client, &peer));
    ck_assert(cord_address_equal(&peer, &list[1]));
    cord_close(&client);
    cord_close(&second);
    return 0;
}

PLAIN_TEST(connect_goes_on_to_the_next_at_once_when_refused)
{
    int dns = enter_private_network();
    in_each_kind(race_past_a_refusal);
    close(dns);
}

int main(void)
{
    return run_tests("resolve", PLAIN(name_of_several_addresses_gives_all_interleaved),
                     PLAIN(name_server_that_is_dead_deadline_passes), PLAIN(name_look_up_cancelled_ecanceled),
                     PLAIN(name_look_up_lets_the_loop_run), SLOW(MODE(name_unknown_eresolve_with_its_reason), 40),
                     MODE(localhost_is_listened_on_and_connected_to), PLAIN(connect_goes_on_to_the_next_after_250_ms),
                     PLAIN(connect_goes_on_to_the_next_at_once_when_refused), END);
}
