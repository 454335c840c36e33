/* The chat room: what one member says goes to all others, in every kind of server.
 *
 * In kind process each connection lives in a child, so nobody but that child can write to it. So the table of members
 * is in shared memory under a shared lock, and each connection has a mailbox: a datagram socket with a name of its own,
 * from which a second task forwards to the connection. To speak is to send datagrams: to the mailboxes, and to UDP
 * members from the socket that they send to, since a firewall lets no other answer through. Those sockets are opened
 * here, before any child, and served as fd:N.
 *
 * A pipe per member was rejected: a descriptor that a child does not have cannot be passed to it by its table. Threads
 * and coroutines go the same way, since one way is simpler than two.
 */
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MEMBERS = 1000, A_SECOND_MOST = 20, LISTENERS = 64, PIECE = MESSAGE_SIZE + NAME_SIZE + 8 };

static const cord_span udp_stays = 5 * CORD_MINUTE;       /* after what a UDP member said last */
static const cord_span patience = 200 * CORD_MILLISECOND; /* for mailboxes that are full */
static const cord_span slow_reader = 10 * CORD_SECOND;    /* for a connection that takes nothing */

/* All under the table's lock. */
struct member {
    uint64_t number; /* 0: the place is free; never used twice */
    bool stream;     /* a connection; else by UDP */
    bool json;       /* has sent JSON, and gets it; else lines of text */
    bool told_alone;
    cord_address to; /* the mailbox, or the UDP address */
    int listener;    /* UDP: whose datagrams it sends */
    int64_t heard;   /* UDP: when it was heard last */
    int64_t second;  /* when the second in which its messages are counted began */
    unsigned said_in_second;
    char name[NAME_SIZE];
};

struct table {
    uint64_t last; /* number given out */
    int used;      /* places that were ever taken */
    struct member members[MEMBERS];
};

struct room {
    cord_lock *lock;     /* shared; guards the table */
    struct table *table; /* shared */
    cord_socket outbox;  /* sends to mailboxes */
    int count;           /* of its own sockets */
    cord_socket listeners[LISTENERS];
    cord_address addresses[LISTENERS]; /* theirs */
    char names[LISTENERS][16];         /* "fd:7" */
    const char *served[LISTENERS + 1];
};

/* One who is to get a message: copied out of the table, so that sending needs no lock. */
struct target {
    uint64_t number;
    bool stream, json;
    int listener;
    cord_address to;
};

/* ---- the table ---- */

static void hold(struct room *room)
{
    (void)!cord_lock_acquire(room->lock, CORD_FOREVER); /* one who died in here left whole members behind */
}

static void let_go(struct room *room)
{
    cord_lock_release(room->lock);
}

static struct member *find(struct room *room, uint64_t number)
{
    for (int i = 0; i < room->table->used; i++)
        if (room->table->members[i].number == number)
            return &room->table->members[i];
    return NULL;
}

/* A free place, NULL if there is none. UDP members that have been silent for too long make room. */
static struct member *add(struct room *room)
{
    struct table *table = room->table;
    struct member *place = NULL;
    for (int i = 0; i < table->used && !place; i++)
        if (table->members[i].number == 0)
            place = &table->members[i];
    if (!place && table->used < MEMBERS)
        place = &table->members[table->used++];
    if (place)
        *place = (struct member){ .number = ++table->last };
    return place;
}

static void forget_silent(struct room *room)
{
    for (int i = 0; i < room->table->used; i++) {
        struct member *m = &room->table->members[i];
        if (m->number && !m->stream && cord_now() - m->heard > udp_stays)
            m->number = 0;
    }
}

static void leave(struct room *room, uint64_t number)
{
    hold(room);
    struct member *m = find(room, number);
    if (m)
        m->number = 0;
    let_go(room);
}

static struct target target_of(const struct member *m)
{
    return (struct target){ m->number, m->stream, m->json, m->listener, m->to };
}

/* ---- sending ---- */

/* A message in its two forms. */
struct forms {
    size_t json_size, text_size; /* with the newline that UDP does not get */
    char json[MESSAGE_SIZE + 1], text[NAME_SIZE + TEXT_SIZE + 8];
};

static void make_forms(struct forms *forms, const char *name, const char *text)
{
    forms->json_size = message_write(forms->json, name, text) + 1;
    forms->json[forms->json_size - 1] = '\n';
    forms->text_size = (size_t)snprintf(forms->text, sizeof forms->text, "%s : %s\n", name, text);
}

static void send_forms(struct room *room, const struct forms *forms, const struct target *to, cord_deadline deadline)
{
    ssize_t rc;
    if (to->stream && to->json)
        rc = cord_send_to(room->outbox, forms->json, forms->json_size, &to->to, deadline);
    else if (to->stream)
        rc = cord_send_to(room->outbox, forms->text, forms->text_size, &to->to, deadline);
    else if (forms->json_size - 1 <= WIRE_SIZE)
        rc = cord_send_to(room->listeners[to->listener], forms->json, forms->json_size - 1, &to->to, deadline);
    else
        return;
    if (to->stream && (rc == -ECONNREFUSED || rc == -ENOENT)) /* its child was killed */
        leave(room, to->number);
}

/* The room's own word to one member. */
static void tell(struct room *room, const struct target *to, const char *format, ...) CORD_PRINTF(3, 4);
static void tell(struct room *room, const struct target *to, const char *format, ...)
{
    struct forms *forms = malloc(sizeof *forms);
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (forms) {
        make_forms(forms, "server", text);
        send_forms(room, forms, to, cord_in(patience));
    }
    free(forms);
}

/* Copies out all members but the speaker; *alone when there is none and the speaker was not told so yet. The number of
 * targets. */
static int choose(struct room *room, uint64_t speaker, struct target *targets, bool *alone)
{
    int count = 0;
    hold(room);
    forget_silent(room);
    for (int i = 0; i < room->table->used; i++)
        if (room->table->members[i].number && room->table->members[i].number != speaker)
            targets[count++] = target_of(&room->table->members[i]);
    struct member *self = find(room, speaker);
    *alone = speaker && count == 0 && self && !self->told_alone;
    if (*alone)
        self->told_alone = true;
    let_go(room);
    return count;
}

/* A message from one member (NULL: the console) to all others, and to stdout. Fails: -EPIPE (stdout is closed). */
static int speak(struct room *room, const struct target *from, const char *name, const char *text)
{
    struct target *targets = malloc(MEMBERS * sizeof *targets);
    struct forms *forms = malloc(sizeof *forms);
    int rc = targets && forms ? 0 : -ENOMEM;
    if (rc == 0) {
        bool alone;
        int count = choose(room, from ? from->number : 0, targets, &alone);
        make_forms(forms, name, text);
        cord_deadline deadline = cord_in(patience); /* for all: each is tried once even when it has passed */
        for (int i = 0; i < count; i++)
            send_forms(room, forms, &targets[i], deadline);
        if (from && forms->json_size - 1 > WIRE_SIZE)
            tell(room, from, words(WORD_LONG), WIRE_SIZE);
        else if (!from && forms->json_size - 1 > WIRE_SIZE)
            say(words(WORD_LONG), WIRE_SIZE);
        else if (alone)
            tell(room, from, "%s", words(WORD_ALONE));
    }
    free(targets);
    free(forms);
    return rc < 0 || !from ? rc : message_print(name, text, NULL);
}

/* Counts a message; false when it is too much for this second. The speaker is told at the first of them. */
static bool may_speak(struct room *room, const struct target *from)
{
    unsigned said = 0;
    int64_t now = cord_now();
    hold(room);
    struct member *m = find(room, from->number);
    if (m && now - m->second >= CORD_SECOND) {
        m->second = now;
        m->said_in_second = 0;
    }
    if (m)
        said = ++m->said_in_second;
    let_go(room);
    if (said == A_SECOND_MOST + 1)
        tell(room, from, words(WORD_FAST), A_SECOND_MOST);
    return said <= A_SECOND_MOST;
}

/* ---- what members say ---- */

static int hear_json(struct room *room, const struct target *from, const struct message *message)
{
    if (!may_speak(room, from))
        return 0;
    if (message->too_long) {
        tell(room, from, words(WORD_TOO_LONG), TEXT_SIZE - 1);
        return 0;
    }
    return speak(room, from, message->name, message->text);
}

static void complain(const cord_request *r, const char *why)
{
    char peer[CORD_ADDRESS_TEXT];
    say("%s: %s; ignored", cord_address_text(&r->peer, peer, sizeof peer), why);
}

/* Finds or makes the member that sends from there. False: the room is full. */
static bool join_udp(struct room *room, const cord_request *r, const char *name, struct target *ret)
{
    int listener = 0;
    while (listener < room->count - 1 && !cord_address_equal(&room->addresses[listener], &r->local))
        listener++;
    hold(room);
    forget_silent(room);
    struct member *m = NULL;
    for (int i = 0; i < room->table->used && !m; i++) {
        struct member *other = &room->table->members[i];
        if (other->number && !other->stream && other->listener == listener && cord_address_equal(&other->to, &r->peer))
            m = other;
    }
    bool known = m != NULL;
    m = m ? m : add(room);
    if (m && !known) {
        m->json = true;
        m->to = r->peer;
        m->listener = listener;
    }
    if (m) {
        m->heard = cord_now();
        snprintf(m->name, sizeof m->name, "%s", name);
    }
    *ret = m ? target_of(m) : (struct target){ .json = true, .listener = listener, .to = r->peer };
    let_go(room);
    return m != NULL;
}

static int hear_datagram(struct room *room, cord_request *r)
{
    struct message *message = malloc(sizeof *message);
    char why[512];
    struct target from;
    int rc = message ? 0 : -ENOMEM;
    if (rc == 0 && message_read(message, r->data, r->size, why, sizeof why) < 0)
        complain(r, why);
    else if (rc == 0 && !join_udp(room, r, message->name, &from))
        tell(room, &from, words(WORD_FULL), MEMBERS);
    else if (rc == 0)
        rc = hear_json(room, &from, message);
    free(message);
    return rc;
}

/* Plain text: /name NAME, or a message under the member's name. */
static int hear_text(struct room *room, const struct target *from, const char *line)
{
    char name[NAME_SIZE] = "";
    bool rename = strncmp(line, "/name ", 6) == 0;
    hold(room);
    struct member *m = find(room, from->number);
    if (m && rename && line[6])
        snprintf(m->name, sizeof m->name, "%.*s", (int)sizeof m->name - 1, line + 6);
    if (m)
        snprintf(name, sizeof name, "%s", m->name);
    let_go(room);
    if (rename)
        tell(room, from, words(WORD_NAMED), name);
    else if (strlen(line) >= TEXT_SIZE)
        tell(room, from, words(WORD_TOO_LONG), TEXT_SIZE - 1);
    else if (*line && may_speak(room, from))
        return speak(room, from, name, line);
    return 0;
}

/* One line of a connection. Lines that begin with { are JSON, and make the member one who gets JSON. */
static int hear_line(struct room *room, cord_request *r, struct target *from, const char *line)
{
    if (line[0] != '{')
        return hear_text(room, from, line);
    struct message *message = malloc(sizeof *message);
    char why[512];
    int rc = message ? 0 : -ENOMEM;
    if (rc == 0 && message_read(message, line, strlen(line), why, sizeof why) < 0) {
        complain(r, why);
    } else if (rc == 0) {
        hold(room);
        struct member *m = find(room, from->number);
        if (m) {
            m->json = from->json = true;
            snprintf(m->name, sizeof m->name, "%s", message->name);
        }
        let_go(room);
        rc = hear_json(room, from, message);
    }
    free(message);
    return rc;
}

/* ---- connections ---- */

struct forwarding {
    cord_socket mailbox, connection;
    struct traffic *traffic; /* the request's; it outlives this task */
};

/* A task: from the mailbox to the connection, until the mailbox is closed. A connection that takes nothing is shut, so
 * that its handler sees the end. */
static int forward(void *arg)
{
    const struct forwarding *f = arg;
    char *piece = malloc(PIECE);
    ssize_t n = piece ? 0 : -ENOMEM;
    while (n >= 0) {
        n = cord_recv(f->mailbox, piece, PIECE, CORD_FOREVER);
        if (n >= 0 && cord_send_all(f->connection, piece, (size_t)n, cord_in(slow_reader)) < 0)
            n = cord_shutdown(f->connection, SHUT_RDWR) < 0 ? -EPIPE : -ECONNRESET;
        f->traffic->out += n > 0 ? (uint64_t)n : 0;
    }
    free(piece);
    return 0;
}

/* A datagram socket with a name that nobody guesses: what is sent there goes to a member. */
static int open_mailbox(cord_socket *ret, cord_address *address)
{
    uint64_t secret[2] = { (uint64_t)getpid(), (uint64_t)cord_now() };
    char name[80];
    (void)!getrandom(secret, sizeof secret, GRND_NONBLOCK);
    snprintf(name, sizeof name, "unixgram:@cordage-%016llx%016llx", (unsigned long long)secret[0],
             (unsigned long long)secret[1]);
    int rc = cord_listen(ret, name, NULL);
    return rc < 0 ? rc : cord_local(*ret, address);
}

static bool join_stream(struct room *room, const cord_request *r, const cord_address *mailbox, struct target *ret)
{
    char name[CORD_ADDRESS_TEXT];
    hold(room);
    forget_silent(room);
    struct member *m = add(room);
    if (m) {
        m->stream = true;
        m->to = *mailbox;
        snprintf(m->name, sizeof m->name, "%.*s", (int)sizeof m->name - 1,
                 cord_address_text(&r->peer, name, sizeof name));
        *ret = target_of(m);
    }
    let_go(room);
    return m != NULL;
}

/* All lines of a connection. */
static int hear_connection(struct room *room, cord_request *r, struct target *from, struct traffic *traffic)
{
    char *line = malloc(MESSAGE_SIZE), *text = malloc(3 * MESSAGE_SIZE);
    ssize_t n = line && text ? 1 : -ENOMEM;
    while (n > 0) {
        n = cord_read_line(r->socket, line, MESSAGE_SIZE, CORD_FOREVER);
        traffic->in += n > 0 ? (uint64_t)n : 0;
        ssize_t rc = n > 0 ? cord_decode(text, 3 * MESSAGE_SIZE, "utf-8", line, strlen(line), CORD_REPLACE) : 0;
        if (rc > 0)
            rc = hear_line(room, r, from, text);
        n = rc < 0 ? rc : n;
    }
    free(line);
    free(text);
    return n == -ECONNRESET ? 0 : (int)n;
}

static int hear_stream(struct room *room, cord_request *r, struct traffic *traffic)
{
    struct forwarding f = { .connection = r->socket, .traffic = traffic };
    cord_address mailbox;
    struct target self;
    cord_task *forwarder = NULL;
    int rc = open_mailbox(&f.mailbox, &mailbox);
    if (rc < 0)
        return rc;
    rc = cord_task_start(&forwarder, forward, &f, sizeof f, &(cord_task_options){ .name = "forward", .daemon = true });
    if (rc == 0 && join_stream(room, r, &mailbox, &self)) {
        rc = hear_connection(room, r, &self, traffic);
        leave(room, self.number);
    } else if (rc == 0) {
        char text[128];
        int n = snprintf(text, sizeof text, words(WORD_FULL), MEMBERS);
        text[n++] = '\n';
        (void)!cord_send_all(r->socket, text, (size_t)n, cord_in(slow_reader));
    }
    cord_close(&f.mailbox);
    if (forwarder)
        end_task(forwarder);
    return rc;
}

int room_handle(struct room *room, cord_request *request, struct traffic *traffic)
{
    return request->data ? hear_datagram(room, request) : hear_stream(room, request, traffic);
}

/* ---- the console ---- */

/* In the background, reading the terminal fails with EIO: it is tried again in the foreground. */
static bool wait_for_foreground(void)
{
    while (isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) != getpgrp())
        if (cord_sleep(CORD_SECOND) < 0)
            return false;
    return isatty(STDIN_FILENO);
}

int room_console(void *arg)
{
    struct room *room = *(struct room **)arg;
    char *line = malloc(TEXT_SIZE);
    ssize_t n = line ? 1 : -ENOMEM;
    while (n > 0) {
        n = cord_input(NULL, line, TEXT_SIZE, CORD_FOREVER);
        if (n == CORD_ETOOLONG) {
            say(words(WORD_TOO_LONG), TEXT_SIZE - 1);
            n = 1;
        } else if (n == -EIO) {
            n = wait_for_foreground();
        } else if (n > 1 || (n == 1 && *line)) {
            n = speak(room, NULL, "server", line) < 0 ? 0 : 1;
        }
    }
    free(line);
    return 0; /* the end of the input is not the room's */
}

/* ---- the room ---- */

static int open_listener(struct room *room, int at, const char *address)
{
    room->served[at] = address;
    if (strncmp(address, "udp:", 4) != 0 && strncmp(address, "unixgram:", 9) != 0 && strncmp(address, "fd:", 3) != 0)
        return 0; /* a stream: the server's alone */
    cord_socket *socket = &room->listeners[room->count];
    int rc = cord_listen(socket, address, NULL);
    if (rc < 0)
        return rc;
    room->count++;
    rc = cord_local(*socket, &room->addresses[room->count - 1]);
    if (rc == 0)
        rc = cord_fileno(*socket);
    if (rc < 0)
        return rc;
    snprintf(room->names[room->count - 1], sizeof room->names[0], "fd:%d", rc);
    room->served[at] = room->names[room->count - 1];
    return 0;
}

static int open_parts(struct room *room, const char *const *addresses, int count)
{
    cord_address outbox;
    void *table;
    int rc = cord_lock_new(&room->lock, CORD_SHARED);
    if (rc == 0)
        rc = cord_shared_new(&table, sizeof *room->table);
    if (rc == 0)
        room->table = table;
    if (rc == 0)
        rc = open_mailbox(&room->outbox, &outbox);
    for (int i = 0; i < count && rc == 0; i++)
        rc = open_listener(room, i, addresses[i]);
    return rc;
}

int room_open(struct room **ret, const char *const *addresses, int count, const char *const **served)
{
    if (count > LISTENERS)
        return usage_error("serve", "at most %d addresses", LISTENERS);
    struct room *room = calloc(1, sizeof *room);
    int rc = room ? open_parts(room, addresses, count) : -ENOMEM;
    if (rc < 0) {
        room_close(room);
        return rc;
    }
    *ret = room;
    *served = room->served;
    return 0;
}

void room_close(struct room *room)
{
    if (!room)
        return;
    for (int i = 0; i < room->count; i++)
        cord_close(&room->listeners[i]);
    cord_close(&room->outbox);
    cord_lock_free(room->lock);
    cord_shared_free(room->table);
    free(room);
}
