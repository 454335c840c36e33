/* net/connect.c - connections, by happy eyeballs (RFC 8305).
 *
 * One task tries the addresses of a name: a non-blocking connect each 250 ms, or at once when the last one failed,
 * and waits for all of them together; the first that is through is kept. No tasks of its own: they would need a
 * stack each and a rule for who owns the winner. When all fail the first one's reason is told, as in Python.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "net/address.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "rt/park.h"
#include "sys/fd.h"

static const cord_span STAGGER = 250 * CORD_MILLISECOND;

struct race {
    cord_address list[CORDI_RESOLVE_MOST]; /* in the order to try */
    int count, next;                       /* of the list, begun from its start */
    const cord_connect_options *options;
    cord_address local;                   /* to connect from, when options->local */
    uint64_t handles[CORDI_RESOLVE_MOST]; /* under way */
    struct cordi_io *ios[CORDI_RESOLVE_MOST];
    int origins[CORDI_RESOLVE_MOST]; /* each one's place in the list */
    int running;
    int64_t next_at;       /* when the next attempt is due */
    int local_failed_with; /* binding to local, the last time */
    int failed_with;       /* the first failure, 0 while there is none */
    uint64_t winner;       /* 0 while there is none */
    int winner_origin;
};

static const struct sockaddr *raw(const cord_address *address)
{
    return (const struct sockaddr *)(const void *)address->raw;
}

static void note_failure(struct race *race, int rc)
{
    if (race->failed_with == 0)
        race->failed_with = rc;
    race->next_at = cord_now();
}

static void abandon(uint64_t handle)
{
    void *data;
    int fd = cordi_io_close(handle, &data);
    if (fd >= 0)
        cordi_fd_close(fd);
}

/* Takes attempt number i out of those under way. */
static uint64_t take(struct race *race, int i)
{
    uint64_t handle = race->handles[i];
    cordi_io_turn_end(race->ios[i], CORDI_WRITE);
    cordi_io_put(race->ios[i]);
    race->running--;
    race->handles[i] = race->handles[race->running];
    race->ios[i] = race->ios[race->running];
    race->origins[i] = race->origins[race->running];
    return handle;
}

/* Attempt number i has come to its end: it is through (rc 0) or failed. */
static void settle(struct race *race, int i, int rc)
{
    int origin = race->origins[i];
    uint64_t handle = take(race, i);
    if (rc == 0) {
        race->winner = handle;
        race->winner_origin = origin;
        return;
    }
    abandon(handle);
    note_failure(race, rc);
}

/* A socket to connect with; -errno. */
static int prepare(struct race *race, const cord_address *to)
{
    cord_transport transport = (cord_transport)to->transport;
    int fd = cordi_net_socket(cordi_address_family(to), cordi_address_type(transport)), rc = 0;
    if (fd < 0)
        return fd;
    if (transport == CORD_TCP && !race->options->nagle)
        rc = cordi_net_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (rc == 0 && race->local.length > 0)
        rc = race->local_failed_with = cordi_socket_bind(fd, &race->local);
    else if (rc == 0 && transport == CORD_UNIXGRAM) /* a name of its own, so that it can be answered */
        rc = cordi_net_bind(fd, raw(to), sizeof(sa_family_t));
    if (rc < 0) {
        cordi_fd_close(fd);
        return rc;
    }
    return fd;
}

/* Begins the next attempt. 0: it is under way, through, or failed and noted; < 0 ends the race. */
static int begin(struct race *race)
{
    int origin = race->next++, fd = prepare(race, &race->list[origin]), i = race->running;
    race->next_at = cord_now() + STAGGER;
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM)
        return fd;
    if (fd < 0) {
        note_failure(race, fd);
        return 0;
    }
    int rc = cordi_io_open(&race->handles[i], fd);
    if (rc < 0)
        return rc;
    race->ios[i] = cordi_io_get(race->handles[i]);
    race->origins[i] = origin;
    race->running++;
    rc = cordi_io_turn(race->ios[i], CORDI_WRITE, CORD_FOREVER);
    if (rc < 0) { /* cancelled: nobody else knows this socket */
        uint64_t handle = race->handles[i];
        cordi_io_put(race->ios[i]);
        race->running--;
        abandon(handle);
        return rc;
    }
    rc = cordi_io_connect(race->ios[i], raw(&race->list[origin]), race->list[origin].length);
    if (rc != -EINPROGRESS)
        settle(race, i, rc);
    return 0;
}

/* Attempt number i is ready: it is through, has failed, or the hint was false. */
static void judge(struct race *race, int i)
{
    int fd = cordi_io_fd(race->ios[i]), error = 0;
    cord_address peer;
    int rc = cordi_net_get(fd, SOL_SOCKET, SO_ERROR, &error);
    if (rc == 0)
        rc = -error;
    if (rc == 0 && cordi_socket_name(fd, CORD_TCP, cordi_net_peer, &peer) < 0)
        return;
    settle(race, i, rc);
}

/* Waits until one is through, fails, or `until` passes. */
static int wait_for_news(struct race *race, cord_deadline until)
{
    int i = until.at == CORD_NOWAIT.at ? -EAGAIN : cordi_io_wait_any(race->ios, race->running, CORDI_WRITE, until);
    if (i >= 0)
        judge(race, i);
    if (i == -EAGAIN || i == -ETIMEDOUT) /* out of time, but never without having looked */
        for (int last = race->running - 1; last >= 0 && race->winner == 0; last--)
            judge(race, last);
    return i < 0 ? i : 0;
}

/* Until one is through. 0 or -errno. */
static int run(struct race *race, cord_deadline deadline)
{
    while (race->winner == 0) {
        bool more = race->next < race->count && race->running < CORDI_IO_ANY;
        if (more && (race->running == 0 || cord_now() >= race->next_at)) {
            int rc = begin(race);
            if (rc < 0)
                return rc;
            continue;
        }
        if (race->running == 0)
            return race->failed_with;
        cord_deadline until = deadline;
        bool early = more && deadline.at != CORD_NOWAIT.at && (deadline.at == 0 || race->next_at < deadline.at);
        if (early)
            until.at = race->next_at;
        int rc = wait_for_news(race, until);
        if (rc < 0 && race->winner == 0 && race->running > 0 && (rc != -ETIMEDOUT || !early))
            return rc;
    }
    return 0;
}

/* A UNIX listener whose queue is full answers EAGAIN, and there is nothing to wait on. */
static int run_unix(struct race *race, cord_deadline deadline)
{
    cord_span nap = 0;
    int rc;
    for (;;) {
        race->next = race->failed_with = 0;
        rc = run(race, deadline);
        if (rc != -EAGAIN || race->failed_with != -EAGAIN)
            return rc;
        rc = cordi_socket_nap(&nap, deadline);
        if (rc < 0)
            return rc;
    }
}

static int failed(int rc, const struct race *race, const struct cordi_address_parts *parts)
{
    char name[CORD_ADDRESS_TEXT], local[CORD_ADDRESS_TEXT];
    cordi_address_show(parts, name, sizeof name);
    bool is_path = parts->transport == CORD_UNIX || parts->transport == CORD_UNIXGRAM;
    if (race->local_failed_with != 0 && race->local_failed_with == rc)
        return cordi_fail_code(rc, "%s: from %s", name, cord_address_text(&race->local, local, sizeof local));
    if (parts->port == 0 && !is_path)
        return cordi_fail(rc, "%s: %s; port 0 is for listeners, write the peer's port", name, cord_strerror(rc));
    if (rc == -ECONNREFUSED || (rc == -ENOENT && is_path))
        return cordi_fail(rc, "%s: %s; nothing listens there", name, cord_strerror(rc));
    return cordi_fail_code(rc, "%s", name);
}

static int connect_fd(cord_socket *ret, const cord_address *address, const cord_connect_options *options)
{
    int fd = cordi_net_dup((int)address->fd);
    if (fd < 0)
        return cordi_fail_code(fd, "fd:%u", address->fd);
    int rc = cordi_socket_adopt(ret, fd, address);
    if (rc == 0 && options->trains)
        cordi_socket_take_trains(*ret);
    return rc;
}

/* The winner becomes a socket. */
static int finish(cord_socket *ret, struct race *race)
{
    struct cordi_socket *data;
    const cord_address *name = &race->list[race->winner_origin];
    int rc =
        cordi_socket_hang(race->winner, &data, name, name->transport == CORD_UDP || name->transport == CORD_UNIXGRAM);
    if (rc < 0) {
        abandon(race->winner);
        return rc;
    }
    data->is_ours = true;
    if (race->local.length > 0)
        cordi_socket_bound(data, &race->local);
    ret->id = race->winner;
    if (race->options->trains)
        cordi_socket_take_trains(*ret);
    return 0;
}

static int read_local(struct race *race, const struct cordi_address_parts *parts)
{
    char name[CORD_ADDRESS_TEXT];
    struct cordi_address_parts local;
    int rc = race->options->local == NULL ? 0 : cordi_address_split(&local, race->options->local);
    if (rc < 0 || race->options->local == NULL)
        return rc;
    if (local.is_name || local.transport != parts->transport)
        return cordi_fail(CORD_EADDRESS, "%s: the local address has to be a number of the same transport",
                          cordi_address_show(&local, name, sizeof name));
    race->local = local.address;
    return 0;
}

int cord_connect(cord_socket *ret, const char *address, const cord_connect_options *options, cord_deadline deadline)
{
    static const cord_connect_options none;
    struct cordi_address_parts parts;
    struct race race = { .options = options != NULL ? options : &none };
    int rc = cordi_address_split(&parts, address);
    if (rc == 0)
        rc = read_local(&race, &parts);
    if (rc < 0)
        return rc;
    if (parts.transport == CORD_FD)
        return connect_fd(ret, &parts.address, race.options);
    race.count = cordi_resolve_parts(race.list, CORDI_RESOLVE_MOST, &parts, deadline);
    if (race.count < 0)
        return race.count;
    rc = parts.transport == CORD_UNIX ? run_unix(&race, deadline) : run(&race, deadline);
    while (race.running > 0)
        abandon(take(&race, race.running - 1));
    return rc < 0 ? failed(rc, &race, &parts) : finish(ret, &race);
}
