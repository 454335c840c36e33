/* QQ with a server: what one user says, it sends to all others; the handler runs once for each message, in any kind.
 * Note S3 line 251, homework 3 (row 109). Python: ThreadingUDPServer; a list of members would be lost in ForkingMixIn.
 * Run: ./109_qq_server [KIND [ADDRESS]]      default thread udp:127.0.0.1:9090; ./chat and ./01_chat_client2 talk to it
 * Handlers of kind process have their own memory. So the members are in shared memory, under a shared lock, and one
 * server does for every kind; the socket is shared anyway. UDP has no goodbye: who is silent for ten minutes is gone.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include <cordage.h>

enum { MEMBERS = 64 }; /* one more takes the place of the most silent one */
#define STAYS (10 * CORD_MINUTE)

struct room {
    cord_lock *lock;
    struct member {
        cord_address address;
        int64_t heard; /* when; 0: a free place */
    } members[MEMBERS];
};

static struct member *place_of(struct room *room, const cord_address *who)
{
    struct member *oldest = room->members;
    for (struct member *m = room->members; m < room->members + MEMBERS; m++) {
        if (cord_address_equal(&m->address, who))
            return m;
        if (m->heard < oldest->heard)
            oldest = m;
    }
    return oldest;
}

/* Notes that `who` was heard, and copies the addresses of all others: how many. */
static int join(struct room *room, const cord_address *who, cord_address *others)
{
    int rc = cord_lock_acquire(room->lock, CORD_FOREVER); /* 1: whoever had it died; at worst one address is spoilt */
    if (rc < 0)
        return rc;
    int64_t now = cord_now();
    int count = 0;
    struct member *me = place_of(room, who);
    *me = (struct member){ .address = *who, .heard = now };
    for (struct member *m = room->members; m < room->members + MEMBERS; m++)
        if (m != me && m->heard != 0 && now - m->heard < STAYS)
            others[count++] = m->address;
    cord_lock_release(room->lock);
    return count;
}

static bool show(const cord_request *r)
{
    char who[CORD_ADDRESS_TEXT];
    const char *text, *name;
    json_error_t why = { .text = "longer than 1024 bytes" };
    json_t *m = r->truncated ? NULL : json_loadb(r->data, r->size, 0, &why);
    bool good = m != NULL && json_unpack_ex(m, &why, 0, "{s:s, s:s}", "msg", &text, "username", &name) == 0;
    if (good)
        cord_print("消息来自%s : %s\n", name, text);
    else
        fprintf(stderr, "%s: not a chat message: %s; ignored\n", cord_address_text(&r->peer, who, sizeof who),
                why.text);
    json_decref(m);
    return good;
}

static int pass_on(cord_request *r)
{
    static const char alone[] = "{\"msg\": \"nobody else is here\", \"username\": \"server\"}";
    cord_address others[MEMBERS];
    if (!show(r))
        return 0;
    int count = join(r->state, &r->peer, others);
    if (count == 0) /* the notes' clients wait for an answer before they speak again */
        return (int)cord_reply(r, alone, sizeof alone - 1);
    for (int i = 0; i < count; i++) /* the lock is free: sending may wait */
        if (cord_send_to(r->socket, r->data, r->size, &others[i], CORD_FOREVER) == -ECANCELED)
            return -ECANCELED; /* any other failure is that member's, and the rest shall hear it */
    return count;
}

int main(int argc, char **argv)
{
    cord_server_options how = { .kind = CORD_THREAD, .max_datagram = 1024, .stack_size = 256 * 1024 };
    int rc = argc > 1 ? cord_kind_parse(&how.kind, argv[1]) : 0;
    if (rc == 0)
        rc = cord_shared_new(&how.state, sizeof(struct room));
    struct room *room = how.state;
    if (rc == 0)
        rc = cord_lock_new(&room->lock, CORD_SHARED);
    if (rc == 0)
        rc = cord_serve(argc > 2 ? argv[2] : "udp:127.0.0.1:9090", pass_on, &how);
    if (room)
        cord_lock_free(room->lock);
    cord_shared_free(room);
    return cord_report("109_qq_server", rc);
}
