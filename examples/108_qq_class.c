/* QQ as two objects of classes that are derived from Process: a Receiver and a Sender; each has its state and run().
 * Note S3 line 250, homework 2 (row 108). Python: class Receiver(Process), super().__init__(), self.sk, run, start.
 * Run: ./108_qq_class egon      and in other terminals wupeiqi, yuanhao, nezha; it and 107_qq_process are one chat
 * A derived class begins with its base, and start() hands over the whole object. As in Python the child works on a copy
 * of it: the friend that the Sender has chosen is known to the sender process only. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <cordage.h>

/* --- class Process --- */

struct process {
    cord_task *task;
    cord_fn *run; /* is given self */
    const char *name;
    bool daemon;
};

static int process_start(void *self, size_t size)
{
    struct process *base = self;
    return cord_task_start(&base->task, base->run, self, size,
                           &(cord_task_options){ .kind = CORD_PROCESS, .name = base->name, .daemon = base->daemon });
}

static int process_join(struct process *self)
{
    cord_outcome how;
    int rc = cord_task_join(self->task, CORD_FOREVER, &how);
    if (rc < 0 || how.how == CORD_RETURNED)
        return rc;
    return how.how == CORD_SIGNALED ? -EOWNERDEAD : how.value;
}

/* --- who has which address --- */

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

/* --- class Receiver(Process) --- */

struct receiver {
    struct process base;
    cord_socket sk;
    cord_address from; /* of the datagram in wire */
    char wire[1024];
};

static void receiver_show(const struct receiver *self, size_t size, bool cut)
{
    char who[CORD_ADDRESS_TEXT];
    const char *text, *name;
    json_error_t why = { .text = "longer than 1024 bytes" };
    json_t *m = cut ? NULL : json_loadb(self->wire, size, 0, &why);
    cord_address_text(&self->from, who, sizeof who);
    if (m == NULL || json_unpack_ex(m, &why, 0, "{s:s, s:s}", "msg", &text, "username", &name) != 0)
        fprintf(stderr, "%s: not a chat message: %s; ignored\n", who, why.text);
    else if (strcmp(address_of(name), who) == 0)
        cord_print("消息来自%s : %s\n", name, text);
    else
        cord_print("消息来自%s (%s) : %s\n", name, who, text);
    json_decref(m);
}

static int receiver_run(void *arg)
{
    struct receiver *self = arg;
    for (;;) {
        int flags = 0;
        ssize_t n = cord_recv_from(self->sk, self->wire, sizeof self->wire, &self->from, &flags, CORD_FOREVER);
        if (n < 0)
            return (int)n; /* -ECANCELED: the end */
        receiver_show(self, (size_t)n, (flags & CORD_TRUNCATED) != 0);
    }
}

static struct receiver receiver(cord_socket sk) /* __init__ */
{
    return (struct receiver){ .base = { .run = receiver_run, .name = "receiver", .daemon = true }, .sk = sk };
}

/* --- class Sender(Process) --- */

struct sender {
    struct process base;
    cord_socket sk;
    const char *name;
    cord_address to; /* length 0: nobody has been chosen */
    char prompt[CORD_ADDRESS_TEXT];
};

static void sender_choose(struct sender *self, const char *name)
{
    cord_address chosen;
    if (cord_address_parse(&chosen, address_of(name)) < 0 || chosen.transport != CORD_UDP) {
        fprintf(stderr, "%s: neither a friend nor an address such as udp:127.0.0.1:9090\n", name);
        return;
    }
    self->to = chosen;
    snprintf(self->prompt, sizeof self->prompt, "%.100s>>>", name);
}

static ssize_t sender_say(const struct sender *self, const char *line)
{
    char text[900], wire[1024];
    if (self->to.length == 0)
        return fprintf(stderr, "to whom? not sent\n");
    if (line == NULL || cord_json_quote(text, sizeof text, line) < 0)
        return fprintf(stderr, "too long for one datagram; not sent\n");
    int size = snprintf(wire, sizeof wire, "{\"msg\": %s, \"username\": \"%s\"}", text, self->name);
    return cord_send_to(self->sk, wire, (size_t)size, &self->to, CORD_FOREVER);
}

static int sender_run(void *arg)
{
    struct sender *self = arg;
    char line[1024];
    ssize_t n;
    while ((n = cord_input(self->prompt, line, sizeof line, CORD_FOREVER)) > 0 || n == CORD_ETOOLONG)
        if (n > 0 && line[0] == '@')
            sender_choose(self, line + 1);
        else if ((n = sender_say(self, n > 0 ? line : NULL)) < 0)
            break;
    return (int)n;
}

static struct sender sender(cord_socket sk, const char *name) /* __init__ */
{
    return (struct sender){
        .base = { .run = sender_run, .name = "sender" }, .sk = sk, .name = name, .prompt = "@friend, please>>>"
    };
}

static int program(void *name)
{
    cord_socket sk;
    int rc = cord_listen(&sk, address_of(name), NULL);
    if (rc < 0)
        return rc;
    struct receiver r = receiver(sk);
    struct sender s = sender(sk, name);
    rc = process_start(&r, sizeof r);
    if (rc == 0)
        rc = process_start(&s, sizeof s);
    if (rc == 0)
        rc = process_join(&s.base);
    cord_task_free(s.base.task);
    cord_task_free(r.base.task); /* the handle: cord_run() ends the daemon when this function has ended */
    cord_close(&sk);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = cord_run(program, argc > 1 ? argv[1] : "egon", &(cord_run_options){ .signals = CORD_SIGNALS_DEFAULT });
    return cord_report("108_qq_class", rc);
}
