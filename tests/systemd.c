/* What systemd passes to a service, and what the service tells it. */
#include "netkit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/systemd.h"

enum { MOST = 4 };

static void variables(const char *pid, const char *fds, const char *names)
{
    static const char *const all[] = { "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" };
    const char *const values[] = { pid, fds, names };
    for (int i = 0; i < 3; i++)
        is(values[i] != NULL ? setenv(all[i], values[i], 1) : unsetenv(all[i]), 0);
}

static char *self(void)
{
    static char text[20];
    snprintf(text, sizeof text, "%d", getpid());
    return text;
}

/* Descriptors from 3 on, as a service finds them: sockets, and files where a letter is 'f'; what was there has moved
 * out of the way, and is put back. */
struct places {
    int moved[MOST], count;
};

static struct places lay(const char *kinds)
{
    struct places places = { { 0 }, (int)strlen(kinds) };
    for (int i = 0; i < places.count; i++) {
        places.moved[i] = fcntl(3 + i, F_DUPFD_CLOEXEC, 100);
        close(3 + i);
    }
    for (int i = 0; i < places.count; i++) {
        int fd = kinds[i] == 'f' ? open("/dev/null", O_RDONLY) : socket(AF_INET, SOCK_STREAM, 0);
        if (fd != 3 + i) {
            is(dup2(fd, 3 + i), 3 + i);
            close(fd);
        }
    }
    return places;
}

static void lift(struct places places)
{
    for (int i = 0; i < places.count; i++) {
        close(3 + i);
        if (places.moved[i] >= 0) {
            is(dup2(places.moved[i], 3 + i), 3 + i);
            close(places.moved[i]);
        }
    }
}

/* ---- sockets ---- */

PLAIN_TEST(sockets_of_a_name_and_all)
{
    int fds[MOST] = { 0 };
    struct places places = lay("sss");
    variables(self(), "3", "http:chat:http");
    is(cordi_systemd_sockets("", fds, MOST), 3);
    is(fds[0], 3);
    is(fds[2], 5);
    is(cordi_systemd_sockets("http", fds, MOST), 2);
    is(fds[0], 3);
    is(fds[1], 5);
    is(cordi_systemd_sockets("chat", fds, MOST), 1);
    is(fds[0], 4);
    fds[1] = -7;
    is(cordi_systemd_sockets("http", fds, 1), 2); /* there are more than asked for */
    is(fds[0], 3);
    is(fds[1], -7);
    for (int fd = 3; fd < 6; fd++)
        ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_str_eq(getenv("LISTEN_FDS"), "3");
    is(cordi_systemd_sockets("htt", fds, MOST), -ENOENT);
    is(cordi_systemd_sockets("https", fds, MOST), -ENOENT);
    sentence_is(
        "systemd: no socket is named \"https\", but \"http:chat:http\"; write FileDescriptorName=https into its "
        ".socket unit");
    is(cordi_systemd_sockets("chat:http", fds, MOST), -ENOENT);
    lift(places);
}

PLAIN_TEST(sockets_without_names_are_unknown)
{
    int fds[MOST] = { 0 };
    struct places places = lay("ss");
    variables(self(), "2", NULL);
    is(cordi_systemd_sockets("", fds, MOST), 2);
    is(cordi_systemd_sockets("unknown", fds, MOST), 2);
    is(cordi_systemd_sockets("chat", fds, MOST), -ENOENT);
    variables(self(), "2", ":b"); /* an empty name is one */
    is(cordi_systemd_sockets("b", fds, MOST), 1);
    is(fds[0], 4);
    lift(places);
}

PLAIN_TEST(sockets_of_nobody_enoent)
{
    int fds[MOST];
    variables(NULL, NULL, NULL);
    is(cordi_systemd_sockets("", fds, MOST), -ENOENT);
    sentence_is(
        "systemd: no sockets were passed to this process (LISTEN_PID is not set); start it by a .socket unit or "
        "by systemd-socket-activate(1)");
    variables("1", "1", NULL);
    is(cordi_systemd_sockets("", fds, MOST), -ENOENT);
    sentence_has("systemd: the sockets were passed to process 1, and this is ");
    variables(self(), NULL, NULL);
    is(cordi_systemd_sockets("", fds, MOST), -ENOENT);
    sentence_has("(LISTEN_FDS is not set)");
    variables(self(), "0", NULL);
    is(cordi_systemd_sockets("", fds, MOST), -ENOENT);
    sentence_has("LISTEN_FDS is 0");
    ck_assert(fcntl(0, F_GETFD) == 0); /* none was touched */
}

PLAIN_TEST(variables_that_make_no_sense_einval)
{
    static const char *const bad[] = { "-1", "+1", " 1", "1 ", "1x", "x", "0x1", "1.0", "99999999999999999999" };
    int fds[MOST];
    char want[100];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        variables(bad[i], "1", NULL);
        is(cordi_systemd_sockets("", fds, MOST), -EINVAL);
        variables(self(), bad[i], NULL);
        is(cordi_systemd_sockets("", fds, MOST), -EINVAL);
        snprintf(want, sizeof want, "systemd: LISTEN_FDS is \"%s\", not a number of at most 9 digits", bad[i]);
        sentence_is(want);
    }
    variables(self(), "1", "a:b");
    is(cordi_systemd_sockets("", fds, MOST), -EINVAL);
    sentence_is("systemd: LISTEN_FDNAMES has 2 names for 1 descriptors: \"a:b\"");
    variables(self(), "2", "");
    is(cordi_systemd_sockets("", fds, MOST), -EINVAL);
}

PLAIN_TEST(descriptors_that_are_no_sockets)
{
    int fds[MOST] = { 0 };
    struct places places = lay("sfs");
    variables(self(), "3", "a:fifo:a");
    is(cordi_systemd_sockets("a", fds, MOST), 2); /* the other is none of ours, but is not passed on either */
    is(fds[1], 5);
    ck_assert_int_eq(fcntl(4, F_GETFD), FD_CLOEXEC);
    is(cordi_systemd_sockets("", fds, MOST), -ENOTSOCK);
    sentence_has("systemd: descriptor 4 is no socket; ");
    close(5);
    is(cordi_systemd_sockets("a", fds, MOST), -EBADF);
    sentence_is("systemd: LISTEN_FDS is 3, but descriptor 5 is not open: closed");
    variables(self(), "999999999", NULL);
    is(cordi_systemd_sockets("none", fds, MOST), -EBADF);
    lift(places);
}

PLAIN_TEST(passed_sockets_are_listened_on_by_their_number)
{
    int fds[MOST];
    char number[CORD_ADDRESS_TEXT], address[CORD_ADDRESS_TEXT];
    struct places places = lay("s");
    cord_socket listener = { 0 }, client = { 0 }, server = { 0 };
    cord_address local;
    variables(self(), "1", "chat");
    is(cordi_systemd_sockets("chat", fds, MOST), 1);
    snprintf(number, sizeof number, "fd:%d", fds[0]);
    ok(cord_listen(&listener, number, NULL));
    ok(cord_local(listener, &local));
    snprintf(address, sizeof address, "tcp:127.0.0.1:%u", cord_address_port(&local));
    ok(cord_connect(&client, address, NULL, soon()));
    ok(cord_accept(listener, &server, NULL, soon()));
    cord_close(&client);
    cord_close(&server);
    cord_close(&listener);
    is(cordi_systemd_sockets("chat", fds, MOST), 1); /* a second time: the descriptor is still there */
    lift(places);
}

/* ---- notes ---- */

static void told(cord_socket receiver, const char *address)
{
    is(setenv("NOTIFY_SOCKET", address, 1), 0);
    ok(cordi_systemd_notify("READY=1"));
    received(receiver, "READY=1");
    ok(cordi_systemd_notify("STOPPING=1\nSTATUS=bye"));
    received(receiver, "STOPPING=1\nSTATUS=bye");
}

MODE_TEST(notify_by_path_and_by_abstract_name)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket receiver = listen_anywhere(address, "unixgram");
    told(receiver, address + strlen("unixgram:"));
    cord_close(&receiver);
    snprintf(address, sizeof address, "unixgram:@cordage-notify-%d", getpid());
    ok(cord_listen(&receiver, address, NULL));
    told(receiver, address + strlen("unixgram:"));
    cord_close(&receiver);
}

MODE_TEST(notify_nobody_is_no_failure)
{
    is(unsetenv("NOTIFY_SOCKET"), 0);
    is(cordi_systemd_notify("READY=1"), 0);
    is(setenv("NOTIFY_SOCKET", "", 1), 0);
    is(cordi_systemd_notify("READY=1"), 0);
}

MODE_TEST(notify_failures_have_a_sentence)
{
    static const char *const bad[] = { "relative", "vsock:2:1234", "/", "@" };
    char path[200], want[300];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        is(setenv("NOTIFY_SOCKET", bad[i], 1), 0);
        is(cordi_systemd_notify("READY=1"), -EINVAL);
    }
    sentence_is("systemd: NOTIFY_SOCKET is \"@\"; it is a path or @name of at most 107 bytes");
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[108] = 0;
    is(setenv("NOTIFY_SOCKET", path, 1), 0);
    is(cordi_systemd_notify("READY=1"), -EINVAL);
    snprintf(path, sizeof path, "%s/nobody", temp_dir());
    is(setenv("NOTIFY_SOCKET", path, 1), 0);
    is(cordi_systemd_notify("READY=1"), -ENOENT);
    snprintf(want, sizeof want, "systemd: NOTIFY_SOCKET %s: no such file or directory", path);
    sentence_is(want);
}

/* Who does not read is not waited for, but for a moment. */
MODE_TEST(notify_of_a_full_queue_etimedout)
{
    char address[CORD_ADDRESS_TEXT];
    cord_socket receiver = listen_anywhere(address, "unixgram");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    memcpy(to.sun_path, address + strlen("unixgram:"), strlen(address) - strlen("unixgram:"));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    while (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to) > 0)
        ;
    is(setenv("NOTIFY_SOCKET", to.sun_path, 1), 0);
    is(cordi_systemd_notify("READY=1"), -ETIMEDOUT);
    sentence_has("systemd: NOTIFY_SOCKET /");
    received(receiver, "x");
    ok(cordi_systemd_notify("READY=1"));
    close(fd);
    cord_close(&receiver);
}

int main(void)
{
    return run_tests("systemd", PLAIN(sockets_of_a_name_and_all), PLAIN(sockets_without_names_are_unknown),
                     PLAIN(sockets_of_nobody_enoent), PLAIN(variables_that_make_no_sense_einval),
                     PLAIN(descriptors_that_are_no_sockets), PLAIN(passed_sockets_are_listened_on_by_their_number),
                     MODE(notify_by_path_and_by_abstract_name), MODE(notify_nobody_is_no_failure),
                     MODE(notify_failures_have_a_sentence), MODE(notify_of_a_full_queue_etimedout), END);
}
