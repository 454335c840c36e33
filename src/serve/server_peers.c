/* serve/server_peers.c - how many connections each peer has: a table with a chain for each place.
 *
 * A peer is an IPv4 address, or the /64 that an IPv6 address lies in, since whoever has one address there has all of
 * them. An IPv4 address that came over an IPv6 socket is the same peer. UNIX peers have no address and are not counted.
 */
#include "serve/server_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "net/address.h"
#include "rt/park.h"

struct entry {
    struct entry *next;
    uint64_t peer;
    uint32_t count; /* > 0 */
};

struct cordi_peers {
    size_t mask;
    struct entry *places[];
};

int cordi_peers_new(struct cordi_peers **ret, uint32_t most)
{
    size_t places = 16;
    while (places < most && places < 65536)
        places *= 2;
    struct cordi_peers *peers = calloc(1, sizeof *peers + places * sizeof(struct entry *));
    if (!peers)
        return cordi_fail(-ENOMEM, "server: out of memory");
    peers->mask = places - 1;
    *ret = peers;
    return 0;
}

void cordi_peers_free(struct cordi_peers *peers)
{
    free(peers); /* without entries: all connections have ended */
}

/* False: it is not counted. */
static bool name(uint64_t *ret, const cord_address *peer)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    switch (peer->length ? cordi_address_family(peer) : AF_UNIX) {
    case AF_INET:
        memcpy(&v4, peer->raw, sizeof v4);
        *ret = v4.sin_addr.s_addr;
        return true;
    case AF_INET6:
        memcpy(&v6, peer->raw, sizeof v6);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            uint32_t mapped;
            memcpy(&mapped, v6.sin6_addr.s6_addr + 12, sizeof mapped);
            *ret = mapped;
        } else {
            memcpy(ret, v6.sin6_addr.s6_addr, sizeof *ret);
        }
        return true;
    default:
        return false;
    }
}

/* Where the pointer to its entry is, or would be. */
static struct entry **find(struct cordi_peers *peers, uint64_t peer)
{
    uint64_t mixed = (peer ^ (uint64_t)(uintptr_t)peers) * 0x9e3779b97f4a7c15U; /* not known outside */
    struct entry **at = &peers->places[(mixed >> 32) & peers->mask];
    while (*at && (*at)->peer != peer)
        at = &(*at)->next;
    return at;
}

bool cordi_peers_enter(struct cordi_peers *peers, const cord_address *peer, uint32_t most)
{
    uint64_t key;
    if (!name(&key, peer))
        return true;
    struct entry **at = find(peers, key);
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (!*at)
            return false;
        (*at)->peer = key;
    }
    if ((*at)->count >= most)
        return false;
    (*at)->count++;
    return true;
}

void cordi_peers_leave(struct cordi_peers *peers, const cord_address *peer)
{
    uint64_t key;
    if (!name(&key, peer))
        return;
    struct entry **at = find(peers, key), *entry = *at;
    if (entry && --entry->count == 0) {
        *at = entry->next;
        free(entry);
    }
}
