/* net/resolve.c - names to addresses, off the loop.
 *
 * getaddrinfo(3) has no deadline and cannot be stopped, so it works on a helper thread, with a copy of the request
 * that holds everything inline: when the caller gives up nothing is left to free. The order is that of RFC 6724, as
 * getaddrinfo gives it, and then the families take turns (RFC 8305 section 4), so that one dead family costs one
 * attempt. No cache: the system has one where it is wanted.
 */
#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include <cordage/error.h>

#include "rt/offload.h"
#include "rt/park.h"
#include "sys/net.h"

struct lookup {
    char host[CORDI_ADDRESS_HOST];
    int type; /* SOCK_STREAM or SOCK_DGRAM */
    int why;  /* an EAI code when none was found */
    struct sockaddr_storage found[CORDI_RESOLVE_MOST];
};

static int look_up(void *arg)
{
    struct lookup *this = arg;
    return cordi_net_lookup(this->found, CORDI_RESOLVE_MOST, this->host, this->type, &this->why);
}

/* The first of the other family comes forward wherever two of one family follow each other. */
static void interleave(cord_address *list, int count)
{
    for (int i = 1; i < count; i++) {
        size_t before = list[i - 1].length;
        int other = i;
        while (other < count && list[other].length == before)
            other++;
        if (other == count)
            return;
        cord_address taken = list[other];
        memmove(&list[i + 1], &list[i], (size_t)(other - i) * sizeof *list);
        list[i] = taken;
    }
}

static int not_found(const char *shown, int why)
{
    char words[96];
    snprintf(words, sizeof words, "%s", gai_strerror(why));
    if (words[0] >= 'A' && words[0] <= 'Z')
        words[0] = (char)(words[0] - 'A' + 'a');
    return cordi_fail(CORD_ERESOLVE, "%s: %s", shown, words);
}

int cordi_resolve_parts(cord_address *ret, size_t max, const struct cordi_address_parts *parts, cord_deadline deadline)
{
    char shown[CORD_ADDRESS_TEXT];
    cord_address all[CORDI_RESOLVE_MOST];
    if (max == 0)
        return 0;
    if (!parts->is_name) {
        ret[0] = parts->address;
        return 1;
    }
    cordi_address_show(parts, shown, sizeof shown);
    struct lookup this = { .type = cordi_address_type(parts->transport) };
    memcpy(this.host, parts->host, sizeof this.host);
    int found = cordi_offload(CORDI_OFFLOAD_RESOLVE, look_up, &this, sizeof this, NULL, deadline), count = 0;
    if (found < 0)
        return cordi_fail_code(found, "%s: looking up the name", shown);
    for (int i = 0; i < found; i++)
        if (cordi_address_inet(&all[count], parts->transport, (struct sockaddr *)&this.found[i], parts->port))
            count++;
    if (count == 0)
        return not_found(shown, found == 0 ? this.why : EAI_NONAME);
    interleave(all, count);
    if ((size_t)count > max)
        count = (int)max;
    memcpy(ret, all, (size_t)count * sizeof *ret);
    return count;
}

int cord_address_resolve(cord_address *ret, size_t max, const char *text, cord_deadline deadline)
{
    struct cordi_address_parts parts;
    int rc = cordi_address_split(&parts, text);
    return rc < 0 ? rc : cordi_resolve_parts(ret, max, &parts, deadline);
}
