/* QQ as two processes that share one UDP socket: one hears, the other talks, and you choose to whom.
 * Note S3 line 249, homework 1 (row 107). Python: Process(target=, args=), p.daemon = True, recvfrom, sendto.
 * Run: ./107_qq_process egon      and in other terminals wupeiqi, yuanhao, nezha; the book below has their addresses
 * The line "@nezha" chooses whom the next lines go to, "@udp:127.0.0.1:40000" somebody who is not in the book. The end
 * of input or Ctrl-C ends both processes. The sender reads stdin, which Python's Process takes away from a child. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <cordage.h>

static const struct {
    const char *name, *address;
} book[] = { { "egon", "udp:127.0.0.1:9090" },
             { "wupeiqi", "udp:127.0.0.1:9091" },
             { "yuanhao", "udp:127.0.0.1:9092" },
             { "nezha", "udp:127.0.0.1:9093" } };
enum { FRIENDS = sizeof book / sizeof *book };

static const char *address_of(const char *name) /* of a friend; anything else is taken for an address itself */
{
    for (int i = 0; i < FRIENDS; i++)
        if (strcmp(book[i].name, name) == 0)
            return book[i].address;
    return name;
}

static void show(const char *wire, size_t size, bool cut, const cord_address *from)
{
    char who[CORD_ADDRESS_TEXT];
    const char *text, *name;
    json_error_t why = { .text = "longer than 1024 bytes" };
    json_t *m = cut ? NULL : json_loadb(wire, size, 0, &why);
    cord_address_text(from, who, sizeof who);
    if (m == NULL || json_unpack_ex(m, &why, 0, "{s:s, s:s}", "msg", &text, "username", &name) != 0)
        fprintf(stderr, "%s: not a chat message: %s; ignored\n", who, why.text);
    else if (strcmp(address_of(name), who) == 0)
        cord_print("消息来自%s : %s\n", name, text);
    else /* anybody may call himself egon: the address says who it is, and where to answer */
        cord_print("消息来自%s (%s) : %s\n", name, who, text);
    json_decref(m);
}

struct qq {
    cord_socket sk;
    const char *name; /* the address is good in a child too: it has a copy of all memory */
};

static int hear(void *arg) /* the receiver process, until it is cancelled */
{
    const struct qq *qq = arg;
    cord_address from;
    char wire[1024];
    for (;;) {
        int flags = 0;
        ssize_t n = cord_recv_from(qq->sk, wire, sizeof wire, &from, &flags, CORD_FOREVER);
        if (n < 0)
            return (int)n;
        show(wire, (size_t)n, (flags & CORD_TRUNCATED) != 0, &from);
    }
}

static int talk(void *arg) /* the sender process, until the end of input */
{
    const struct qq *qq = arg;
    char line[1024], text[900], wire[1024], prompt[CORD_ADDRESS_TEXT] = "@friend, please>>>";
    cord_address to = { 0 }, chosen;
    ssize_t n;
    while ((n = cord_input(prompt, line, sizeof line, CORD_FOREVER)) > 0 || n == CORD_ETOOLONG) {
        if (n > 0 && line[0] == '@') {
            if (cord_address_parse(&chosen, address_of(line + 1)) == 0 && chosen.transport == CORD_UDP) {
                to = chosen;
                snprintf(prompt, sizeof prompt, "%.100s>>>", line + 1);
            } else {
                fprintf(stderr, "%s: neither a friend nor an address such as udp:127.0.0.1:9090\n", line + 1);
            }
        } else if (to.length == 0) {
            fprintf(stderr, "to whom? not sent\n");
        } else if (n < 0 || cord_json_quote(text, sizeof text, line) < 0) {
            fprintf(stderr, "too long for one datagram; not sent\n");
        } else {
            int size = snprintf(wire, sizeof wire, "{\"msg\": %s, \"username\": \"%s\"}", text, qq->name);
            n = cord_send_to(qq->sk, wire, (size_t)size, &to, CORD_FOREVER);
            if (n < 0)
                return (int)n;
        }
    }
    return (int)n;
}

static int start(cord_task **ret, cord_fn *fn, const struct qq *qq, const char *name, bool daemon)
{
    return cord_task_start(ret, fn, qq, sizeof *qq,
                           &(cord_task_options){ .kind = CORD_PROCESS, .name = name, .daemon = daemon });
}

static int program(void *name)
{
    cord_task *receiver = NULL, *sender = NULL;
    cord_outcome how;
    struct qq qq = { .name = name };
    int rc = cord_listen(&qq.sk, address_of(name), NULL);
    if (rc == 0) /* each gets a copy of qq; the socket in it is one and the same */
        rc = start(&receiver, hear, &qq, "receiver", true);
    if (rc == 0)
        rc = start(&sender, talk, &qq, "sender", false);
    if (rc == 0)
        rc = cord_task_join(sender, CORD_FOREVER, &how);
    if (rc == 0 && how.how != CORD_RETURNED)
        rc = how.how == CORD_SIGNALED ? -EOWNERDEAD : how.value;
    cord_task_free(sender);
    cord_task_free(receiver); /* the handle: cord_run() ends the daemon when this function has ended */
    cord_close(&qq.sk);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = cord_run(program, argc > 1 ? argv[1] : "egon", &(cord_run_options){ .signals = CORD_SIGNALS_DEFAULT });
    return cord_report("107_qq_process", rc);
}
