/* serve/server_open.c - a server's options, with the defaults filled in, and its listeners. */
#include "serve/server_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cordage/option.h>

#include "net/systemd.h"
#include "rt/park.h"
#include "sys/proc.h"

static uint32_t default_connections(cord_kind kind)
{
    switch (kind) {
    case CORD_COROUTINE:
        return 10000;
    case CORD_THREAD:
        return 256;
    case CORD_PROCESS:
        return 64;
    case CORD_SERIAL:
        break;
    }
    return 1;
}

static int read_options(cord_server *server, const cord_server_options *options)
{
    cord_server_options *how = &server->how;
    if (options)
        memcpy(how, options, options->size && options->size < sizeof *how ? options->size : sizeof *how);
    if ((unsigned)how->kind > CORD_SERIAL)
        return cordi_fail(-EINVAL, "server: no kind has number %d", (int)how->kind);
    if (how->grace < 0 || how->lull < 0)
        return cordi_fail(-EINVAL, "server: grace and lull are spans of 0 or more");
    if (how->limit.idle < 0 || how->limit.first < 0 || how->limit.stalled < 0 || how->limit.whole < 0)
        return cordi_fail(-EINVAL, "server: limits are spans of 0 or more");
    if (!how->max_connections)
        how->max_connections = default_connections(how->kind);
    if (!how->max_datagram)
        how->max_datagram = 65507;
    return 0;
}

static int add_one(cord_server *server, const char *address)
{
    int64_t accepts = 0;
    if (server->count == CORDI_LISTENERS)
        return cordi_fail(-EINVAL, "server: more than %d addresses", CORDI_LISTENERS);
    struct cordi_listener *listener = &server->listeners[server->count];
    int rc = cord_listen(&listener->socket, address, &server->how.listen);
    if (rc < 0)
        return rc;
    server->count++;
    rc = cord_local(listener->socket, &listener->address);
    if (rc == 0)
        rc = cord_option_get(listener->socket, CORD_LISTENING, &accepts);
    listener->stream = accepts;
    server->streams |= listener->stream;
    if (rc == 0 && !listener->stream && !server->batch) {
        server->batch = cordi_batch_new(&server->how);
        if (!server->batch)
            rc = cordi_fail(-ENOMEM, "%s: out of memory", address);
    }
    return rc;
}

/* An address of a user; "systemd:" stands for several. */
static int add_listener(cord_server *server, const char *address)
{
    static const char scheme[] = "systemd:";
    int fds[CORDI_LISTENERS + 1];
    if (strncmp(address, scheme, strlen(scheme)) != 0)
        return add_one(server, address);
    int count = cordi_systemd_sockets(address + strlen(scheme), fds, CORDI_LISTENERS + 1), rc = count < 0 ? count : 0;
    for (int i = 0; rc == 0 && i < count && i <= CORDI_LISTENERS; i++) {
        char text[16];
        snprintf(text, sizeof text, "fd:%d", fds[i]);
        rc = add_one(server, text);
    }
    return rc;
}

static int add_listeners(cord_server *server, const char *address)
{
    const char *const *more = server->how.addresses;
    int rc = address ? add_listener(server, address) : 0;
    for (size_t i = 0; rc == 0 && more && more[i]; i++)
        rc = add_listener(server, more[i]);
    if (rc == 0 && !server->count)
        return cordi_fail(-EINVAL, "server: no address; write tcp:127.0.0.1:0 for a free port");
    return rc;
}

static int open_all(cord_server *server, const char *address, const cord_server_options *options)
{
    cordi_list_init(&server->workers);
    cordi_list_init(&server->ready);
    cordi_list_init(&server->threads);
    int rc = read_options(server, options);
    if (rc == 0 && server->how.max_per_peer)
        rc = cordi_peers_new(&server->peers, server->how.max_connections);
    if (rc == 0)
        rc = add_listeners(server, address);
    if (rc == 0)
        rc = cord_socket_pair(server->wake, CORD_UNIX);
    if (rc == 0)
        server->wake_fd = cord_fileno(server->wake[1]);
    return rc;
}

int cord_server_open(cord_server **ret, const char *address, cord_handle *handle, const cord_server_options *options)
{
    cord_server *server = calloc(1, sizeof *server);
    if (!server)
        return cordi_fail(-ENOMEM, "server: out of memory");
    server->handle = handle;
    int rc = open_all(server, address, options);
    if (rc < 0)
        cord_server_close(server);
    else
        *ret = server;
    return rc < 0 ? rc : 0;
}

void cord_server_close(cord_server *server)
{
    if (!server)
        return;
    assert(!server->group);             /* it serves: stop it and let run return first */
    while (atomic_load(&server->stops)) /* the stop that made run return has not returned itself yet */
        cordi_proc_yield();
    for (size_t i = 0; i < server->count; i++)
        cord_close(&server->listeners[i].socket);
    cord_close(&server->wake[0]);
    cord_close(&server->wake[1]);
    cordi_peers_free(server->peers);
    free(server->batch);
    free(server);
}
