/* `cordage serve`: the handlers echo, upper, hello and discard; chat's is in room.c, exec's in exec.c. A handler is the
 * same for every kind, for connections and for datagrams. What was done is counted in shared memory, since in kind
 * process it happens in children.
 */
#include "tool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct totals {
    uint64_t connections, datagrams, bytes_in, bytes_out; /* changed atomically: by several tasks and processes */
};

/* A request's own. */
struct session {
    struct traffic traffic;
    int64_t opened;
    cord_decoder decoder; /* of what upper prints */
};

struct service {
    const struct arguments *arguments;
    struct totals *totals;
    struct room *room;          /* of chat */
    const char *const *program; /* of exec */
    cord_server *server;
};

static cord_event counts_wanted; /* set by the handler of SIGUSR1 */

static void add(uint64_t *total, uint64_t n)
{
    __atomic_fetch_add(total, n, __ATOMIC_RELAXED);
}

static struct service *service_of(const cord_request *r)
{
    return r->state;
}

/* From a connection; as cord_recv(). */
static ssize_t take(cord_request *r, void *buf, size_t size)
{
    ssize_t n = cord_recv(r->socket, buf, size, CORD_FOREVER);
    if (n > 0)
        ((struct session *)r->user)->traffic.in += (uint64_t)n;
    return n;
}

/* To the peer, whatever it is; size or a failure. */
static ssize_t give(cord_request *r, const void *buf, size_t size)
{
    ssize_t n = r->data ? cord_reply(r, buf, size) : cord_send_all(r->socket, buf, size, CORD_FOREVER);
    if (n > 0)
        ((struct session *)r->user)->traffic.out += (uint64_t)n;
    return n;
}

/* What printing answered: 0, a failure, or 1: stdout is closed, which ends the server quietly. */
static int printed(cord_request *r, ssize_t rc)
{
    if (rc != -EPIPE)
        return rc < 0 ? (int)rc : 0;
    cord_server_stop(r->server, 0);
    return 1;
}

static int echo(cord_request *r)
{
    char buf[16 * 1024];
    if (r->data)
        return (int)give(r, r->data, r->size);
    ssize_t n;
    while ((n = take(r, buf, sizeof buf)) > 0)
        if ((n = give(r, buf, (size_t)n)) < 0)
            break;
    return (int)n;
}

/* Prints what was read, as the notes' server does. Half a character waits for the next piece; what --encoding does not
 * have is replaced. */
static int print_piece(cord_request *r, const void *bytes, size_t size)
{
    char text[3 * 1024 + 16];
    struct session *session = r->user;
    ssize_t n = cord_decoder_feed(&session->decoder, text, sizeof text, bytes, size, false);
    return n < 0 ? (int)n : printed(r, cord_print(">> %s\n", text));
}

static int upper_datagram(cord_request *r)
{
    const char *encoding = ((struct session *)r->user)->decoder.encoding;
    size_t size = 3 * r->size + 1; /* U+FFFD for each byte */
    char *text = malloc(size);
    ssize_t n = text ? cord_decode(text, size, encoding, r->data, r->size, CORD_REPLACE) : -ENOMEM;
    if (n >= 0)
        n = printed(r, cord_print(">>>> %.60000s\n", text));
    free(text);
    if (n != 0)
        return (int)n;
    cord_upper((void *)(uintptr_t)r->data, r->size); /* the request's own copy */
    return (int)give(r, r->data, r->size);
}

static int upper(cord_request *r)
{
    const char *encoding = service_of(r)->arguments->encoding;
    int rc = cord_decoder_init(&((struct session *)r->user)->decoder, encoding ? encoding : "utf-8", CORD_REPLACE);
    if (rc < 0 || r->data)
        return rc < 0 ? rc : upper_datagram(r);
    char buf[1024];
    ssize_t n;
    while ((n = take(r, buf, sizeof buf)) > 0) {
        rc = print_piece(r, buf, (size_t)n);
        cord_upper(buf, (size_t)n);
        if (rc != 0 || (n = give(r, buf, (size_t)n)) < 0)
            break;
    }
    if (rc != 0)
        return rc;
    if (n == 0)
        return printed(r, cord_print("%s", words(WORD_GONE)));
    return n == -ECONNRESET || n == -EPIPE ? 0 : (int)n; /* the notes' server is silent about these */
}

/* One answer of a client: its bytes as Python shows them, and its port. */
static int print_answer(cord_request *r, const void *bytes, size_t size)
{
    char text[4 * 1024 + 8];
    ssize_t n = cord_repr_bytes(text, sizeof text, bytes, size < 1024 ? size : 1024);
    return n < 0 ? (int)n : printed(r, cord_print("%s %u\n", text, cord_address_port(&r->peer)));
}

static int hello(cord_request *r)
{
    char buf[1024];
    if (r->data) {
        int rc = print_answer(r, r->data, r->size);
        return rc != 0 ? rc : (int)give(r, "hello", 5);
    }
    ssize_t n = 1;
    while (n > 0) {
        n = give(r, "hello", 5);
        if (n > 0)
            n = take(r, buf, sizeof buf);
        if (n > 0) {
            int rc = print_answer(r, buf, (size_t)n);
            n = rc != 0 ? (rc < 0 ? rc : 0) : n;
        }
    }
    return (int)n;
}

static int discard(cord_request *r)
{
    char buf[16 * 1024];
    ssize_t n = 0;
    while (!r->data && (n = take(r, buf, sizeof buf)) > 0)
        ;
    return (int)n;
}

static int chat(cord_request *r)
{
    int rc = room_handle(service_of(r)->room, r, &((struct session *)r->user)->traffic);
    return rc == -EPIPE ? printed(r, rc) : rc;
}

static int exec(cord_request *r)
{
    return exec_handle(r, service_of(r)->program);
}

/* Before the handler: counts a datagram, which is all there already. */
static int begin(cord_request *r)
{
    struct totals *totals = service_of(r)->totals;
    if (r->data)
        ((struct session *)r->user)->traffic.in = r->size;
    add(r->data ? &totals->datagrams : &totals->connections, 1);
    return 0;
}

static int finish(cord_request *r)
{
    const struct traffic *traffic = &((const struct session *)r->user)->traffic;
    struct totals *totals = service_of(r)->totals;
    add(&totals->bytes_in, traffic->in);
    add(&totals->bytes_out, traffic->out);
    return 0;
}

static void log_opened(const cord_request *r)
{
    char peer[CORD_ADDRESS_TEXT];
    ((struct session *)r->user)->opened = cord_now();
    say("%s: open", cord_address_text(&r->peer, peer, sizeof peer));
}

static void log_closed(const cord_request *r, int rc)
{
    char peer[CORD_ADDRESS_TEXT];
    const struct session *session = r->user;
    say("%s: closed, %llu bytes in, %llu bytes out, %.3f s%s%s", cord_address_text(&r->peer, peer, sizeof peer),
        (unsigned long long)session->traffic.in, (unsigned long long)session->traffic.out,
        (double)(cord_now() - session->opened) / (double)CORD_SECOND, rc < 0 ? ": " : "",
        rc < 0 ? cord_strerror(rc) : "");
}

static void want_counts(int signo)
{
    (void)signo;
    cord_event_set(&counts_wanted);
}

/* A task beside the server. */
static int tell_counts(void *arg)
{
    const struct service *service = arg;
    cord_server_counts now;
    int rc;
    while ((rc = cord_event_wait(&counts_wanted, CORD_FOREVER)) == 0) {
        cord_event_clear(&counts_wanted);
        cord_server_stats(service->server, &now);
        say("serve: %llu accepted, %llu active, %llu failed, %llu refused, %llu pauses, %llu workers replaced",
            (unsigned long long)now.accepted, (unsigned long long)now.active, (unsigned long long)now.failed,
            (unsigned long long)now.refused, (unsigned long long)now.paused, (unsigned long long)now.replaced);
    }
    return rc == -ECANCELED ? 0 : rc;
}

/* As cord_serve(), and SIGUSR1 asks for the counts meanwhile. */
static int serve_and_tell(struct service *service, const char *address, cord_handle *handle,
                          const cord_server_options *how)
{
    struct sigaction asked = { .sa_handler = want_counts, .sa_flags = SA_RESTART }, old;
    cord_task *counter;
    int rc = cord_server_open(&service->server, address, handle, how);
    if (rc < 0)
        return rc;
    rc = cord_task_start(&counter, tell_counts, service, 0, &(cord_task_options){ .name = "counts", .daemon = true });
    if (rc == 0) {
        sigaction(SIGUSR1, &asked, &old);
        rc = cord_server_run(service->server);
        sigaction(SIGUSR1, &old, NULL);
        end_task(counter);
    }
    cord_server_close(service->server);
    return rc;
}

/* A room beyond loopback can be made to send to others: who forges a sender's address joins a stranger to it. */
static void warn_of_reflection(const cord_address *address, const char *text)
{
    char host[CORD_ADDRESS_TEXT];
    cord_address_host(address, host, sizeof host);
    if (address->transport == CORD_UDP && strncmp(host, "127.", 4) != 0 && strcmp(host, "::1") != 0)
        say("serve: %s: strangers can join, and have the room send to others; 127.0.0.1 keeps it on this machine",
            text);
}

static void tell_listening(const cord_address *address, void *state)
{
    const struct service *service = state;
    char text[CORD_ADDRESS_TEXT];
    cord_address_text(address, text, sizeof text);
    if (!service->arguments->quiet)
        fprintf(stderr, "listening %s\n", text);
    if (service->room && !service->arguments->quiet)
        warn_of_reflection(address, text);
}

static const struct {
    const char *name;
    cord_handle *handle;
} handlers[] = { { "echo", echo },       { "upper", upper }, { "hello", hello },
                 { "discard", discard }, { "chat", chat },   { "exec", exec } };

static cord_handle *find_handler(const char *name)
{
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (strcmp(handlers[i].name, name) == 0)
            return handlers[i].handle;
    return NULL;
}

/* Serves with the room's console beside it. */
static int serve_room(struct service *service, cord_server_options *how)
{
    const struct arguments *a = service->arguments;
    const char *const *addresses;
    cord_task *console;
    int rc = room_open(&service->room, a->words + 1, a->count - 1, &addresses);
    if (rc < 0)
        return rc;
    how->addresses = addresses + 1;
    how->stack_size = 256 * 1024;
    rc = cord_task_start(&console, room_console, &service->room, 0,
                         &(cord_task_options){ .name = "console", .daemon = true });
    if (rc == 0) {
        rc = serve_and_tell(service, addresses[0], chat, how);
        end_task(console);
    }
    room_close(service->room);
    return rc;
}

static int serve(struct service *service, cord_handle *handle)
{
    const struct arguments *a = service->arguments;
    cord_server_options how = { .kind = a->kind,
                                .addresses = (const char *const *)a->words + 2,
                                .state = service,
                                .setup = begin,
                                .finish = finish,
                                .user_size = sizeof(struct session),
                                .per_connection = a->fork,
                                .max_connections = a->max_connections,
                                .max_per_peer = a->max_per_peer,
                                .refusal = a->refusal,
                                .limit = a->limit,
                                .notify = true,
                                .grace = a->grace,
                                .quiet = a->quiet,
                                .ready = tell_listening,
                                .opened = a->verbose ? log_opened : NULL,
                                .closed = a->verbose ? log_closed : NULL };
    int rc = handle == chat ? serve_room(service, &how) : serve_and_tell(service, a->words[1], handle, &how);
    const struct totals *t = service->totals;
    snprintf(a->summary, SUMMARY, "%llu connection%s, %llu datagram%s; %llu bytes in, %llu bytes out",
             (unsigned long long)t->connections, t->connections == 1 ? "" : "s", (unsigned long long)t->datagrams,
             t->datagrams == 1 ? "" : "s", (unsigned long long)t->bytes_in, (unsigned long long)t->bytes_out);
    return rc;
}

/* Splits the words of exec at "--": the addresses end in NULL, the program follows. 0 or the exit code. */
static int split_program(const struct arguments *a, struct service *service, int *addresses)
{
    if (a->dashes < 0 || a->dashes >= a->count)
        return usage_error("serve", "exec: no program; write it behind the addresses: -- PROGRAM ARG...");
    for (int i = 1; i < a->dashes; i++)
        if (strncmp(a->words[i], "udp:", 4) == 0 || strncmp(a->words[i], "unixgram:", 9) == 0)
            return usage_error("serve", "exec: %s: a program needs a connection; use tcp or unix", a->words[i]);
    memmove(a->words + a->dashes + 1, a->words + a->dashes, sizeof *a->words * (size_t)(a->count - a->dashes + 1));
    a->words[a->dashes] = NULL; /* there is room: "--" itself had a place */
    service->program = a->words + a->dashes + 1;
    *addresses = a->dashes - 1;
    return 0;
}

int run_serve(const struct arguments *a)
{
    char meant[64];
    if (!a->count)
        return usage_error("serve", "no handler; choose one (%s)", a->command->choices);
    cord_handle *handle = find_handler(a->words[0]);
    if (!handle)
        return usage_error("serve", "unknown handler \"%s\"%s (%s)", a->words[0],
                           did_you_mean(meant, sizeof meant, a->words[0], a->command->choices), a->command->choices);
    if (handle != exec && a->dashes > 1 && a->dashes < a->count)
        return usage_error("serve", "%s: runs no program; that is cordage serve exec ADDRESS... -- PROGRAM ARG...",
                           a->words[0]);
    struct service service = { .arguments = a };
    int addresses = a->count - 1, rc = handle == exec ? split_program(a, &service, &addresses) : 0;
    if (rc != 0)
        return rc;
    if (addresses < 1)
        return usage_error("serve", "no address; write one such as tcp:127.0.0.1:9000");
    void *totals;
    rc = cord_shared_new(&totals, sizeof(struct totals));
    if (rc < 0)
        return rc;
    service.totals = totals;
    rc = serve(&service, handle);
    cord_shared_free(totals);
    return rc;
}
