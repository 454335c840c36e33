/* net/address.c - addresses to text and back.
 *
 * Reading is strict and total: any bytes are either an address or a sentence that says what to write. A text is
 * [SCHEME:]REST; a first word that is no scheme is a host, unless what follows it can only follow a scheme. IPv6
 * stands in brackets, because "::1:80" could be read in two ways. Forms that only inet_aton(3) knows ("127.1", "010.0.
 * 0.1") are refused: programs disagree about them. Service names as ports are refused too: they would need a look-up
 * in a file that differs from machine to machine.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cordage/error.h>

#include "rt/park.h"
#include "sys/net.h"

/* What raw holds. It is copied in and out, because reading integers through another type's pointer is not C. */
union view {
    uint64_t raw[16];
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
};
_Static_assert(sizeof(union view) == sizeof((cord_address *)0)->raw, "any address fits");

static union view view(const cord_address *address)
{
    union view ret = { { 0 } };
    memcpy(&ret, address->raw, address->length < sizeof ret ? address->length : sizeof ret); /* there may be no more */
    return ret;
}

enum { PATH_MOST = sizeof((struct sockaddr_un *)0)->sun_path - 1, QUOTED = 80 };
static const char digits[] = "0123456789";
static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

static const struct scheme {
    const char *name;
    cord_transport transport;
} schemes[] = {
    { "tcp", CORD_TCP }, { "udp", CORD_UDP }, { "unix", CORD_UNIX }, { "unixgram", CORD_UNIXGRAM }, { "fd", CORD_FD },
};
enum { SCHEMES = sizeof schemes / sizeof *schemes };

static const char *scheme_name(cord_transport transport)
{
    for (int i = 0; i < SCHEMES; i++)
        if (schemes[i].transport == transport)
            return schemes[i].name;
    return "none";
}

int cordi_address_type(cord_transport transport)
{
    return transport == CORD_UDP || transport == CORD_UNIXGRAM ? SOCK_DGRAM : SOCK_STREAM;
}

/* ---- reading ---- */

/* "TEXT": SENTENCE, with TEXT cut and without control characters. */
__attribute__((format(printf, 2, 3))) static int malformed(const char *text, const char *format, ...)
{
    char sentence[320];
    int size = snprintf(sentence, sizeof sentence, "\"%.*s\": ", (int)QUOTED, text);
    va_list args;
    va_start(args, format);
    vsnprintf(sentence + size, sizeof sentence - (size_t)size, format, args);
    va_end(args);
    for (char *c = sentence; *c != 0; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    return cordi_fail(CORD_EADDRESS, "%s", sentence);
}

/* How many letters differ, a swap of two counting as one: for "did you mean". */
static unsigned distance(const char *a, size_t a_size, const char *b)
{
    size_t b_size = strlen(b), i = 0;
    while (i < a_size && i < b_size && a[i] == b[i])
        i++;
    a += i, a_size -= i, b += i, b_size -= i;
    while (a_size > 0 && b_size > 0 && a[a_size - 1] == b[b_size - 1])
        a_size--, b_size--;
    if (a_size == 2 && b_size == 2 && a[0] == b[1] && a[1] == b[0])
        return 1;
    return (unsigned)(a_size > b_size ? a_size : b_size);
}

static int unknown_scheme(const char *text, size_t size)
{
    for (int i = 0; i < SCHEMES; i++)
        if (distance(text, size, schemes[i].name) <= 1)
            return malformed(text, "unknown scheme \"%.*s\"; did you mean %s?", (int)size, text, schemes[i].name);
    return malformed(
        text, "unknown scheme \"%.*s\"; write tcp:, udp:, unix:, unixgram: or fd:", size > 20 ? 20 : (int)size, text);
}

/* A decimal number of at most most_digits digits. */
static bool number(const char *text, size_t most_digits, unsigned *ret)
{
    size_t size = strlen(text);
    if (size == 0 || size > most_digits || strspn(text, digits) != size)
        return false;
    *ret = 0;
    for (; *text != 0; text++)
        *ret = *ret * 10 + (unsigned)(*text - '0');
    return true;
}

static int port_part(struct cordi_address_parts *ret, const char *text, const char *port)
{
    size_t size = strlen(port);
    if (size > 0 && strspn(port, digits) == size && (!number(port, 9, &ret->port) || ret->port > 65535))
        return malformed(text, "port %.20s is over 65535", port);
    if (!number(port, 5, &ret->port))
        return malformed(text, "port \"%.20s\" is not a number from 0 to 65535", port);
    return 0;
}

static void set_v4(struct cordi_address_parts *ret, struct in_addr host)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = host };
    cordi_address_inet(&ret->address, ret->transport, (struct sockaddr *)&sa, ret->port);
}

/* [HOST] or [HOST%INTERFACE], then :PORT. */
static int bracketed_part(struct cordi_address_parts *ret, const char *text, const char *rest)
{
    char host[INET6_ADDRSTRLEN + 32];
    const char *end = strchr(rest, ']');
    size_t size = end == NULL ? 0 : (size_t)(end - rest) - 1;
    if (end == NULL)
        return malformed(text, "\"[\" without \"]\"");
    snprintf(host, sizeof host, "%.*s", size > sizeof host ? (int)sizeof host : (int)size, rest + 1);
    char *scope = strchr(host, '%');
    if (scope != NULL)
        *scope++ = 0;
    struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };
    if (size >= sizeof host || inet_pton(AF_INET6, host, &sa.sin6_addr) != 1)
        return malformed(text, "what stands in brackets is no IPv6 address");
    if (scope != NULL && !number(scope, 9, &sa.sin6_scope_id) && (sa.sin6_scope_id = cordi_net_interface(scope)) == 0)
        return malformed(text, "there is no network interface \"%s\"", scope);
    if (end[1] == 0)
        return malformed(text, "no port; write %s:[%s]:PORT", scheme_name(ret->transport), host);
    if (end[1] != ':')
        return malformed(text, "after \"]\" comes :PORT");
    int rc = port_part(ret, text, end + 2);
    if (rc == 0)
        cordi_address_inet(&ret->address, ret->transport, (struct sockaddr *)&sa, ret->port);
    return rc;
}

/* A host without brackets, size bytes of it. */
static int host_part(struct cordi_address_parts *ret, const char *text, const char *host, size_t size)
{
    if (size >= sizeof ret->host)
        return malformed(text, "the host is longer than %d bytes", CORDI_ADDRESS_HOST - 1);
    memcpy(ret->host, host, size);
    ret->host[size] = 0;
    struct in_addr v4 = { .s_addr = htonl(INADDR_ANY) };
    if (strcmp(ret->host, "*") == 0 || inet_pton(AF_INET, ret->host, &v4) == 1) {
        set_v4(ret, v4);
        return 0;
    }
    if (strspn(ret->host, "0123456789.") == size)
        return malformed(text, "\"%.40s\" is no IPv4 address; it has four numbers, as 127.0.0.1", ret->host);
    if (strspn(ret->host, name_characters) != size)
        return malformed(text, "no host name has the character \"%.1s\"",
                         ret->host + strspn(ret->host, name_characters));
    ret->is_name = true;
    return 0;
}

static int inet_part(struct cordi_address_parts *ret, const char *text, const char *rest, bool schemed)
{
    const char *scheme = scheme_name(ret->transport), *colon = strchr(rest, ':');
    if (*rest == '[')
        return bracketed_part(ret, text, rest);
    if (*rest == 0 && ret->transport == CORD_UDP) { /* any interface, any port */
        set_v4(ret, (struct in_addr){ .s_addr = htonl(INADDR_ANY) });
        return 0;
    }
    if (*rest == 0)
        return malformed(text, "no port; write %s:127.0.0.1:PORT", scheme);
    if (colon == NULL && strspn(rest, digits) != strlen(rest))
        return malformed(text, "no port; write %s:%.60s:PORT", scheme, rest);
    if (colon != NULL && strchr(colon + 1, ':') != NULL)
        return malformed(text, "too many colons; an IPv6 address stands in brackets: %s:[::1]:PORT", scheme);
    if (colon != NULL && colon[1] == 0)
        return malformed(text, "no port; write %s:%.*s:PORT", scheme, (int)(colon - rest), rest);
    int rc = port_part(ret, text, colon != NULL ? colon + 1 : rest);
    if (rc < 0)
        return rc;
    if (colon != NULL && colon > rest)
        return host_part(ret, text, rest, (size_t)(colon - rest));
    if (colon != NULL && schemed)
        return malformed(text, "empty host; write %s:127.0.0.1:%u, or %s:*:%u for every interface", scheme, ret->port,
                         scheme, ret->port);
    set_v4(ret, (struct in_addr){ .s_addr = htonl(INADDR_LOOPBACK) });
    return 0;
}

static int path_part(struct cordi_address_parts *ret, const char *text, const char *path)
{
    size_t size = strlen(path);
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    if (size == 0 || strcmp(path, "@") == 0)
        return malformed(text, "no path; write %s:/path or %s:@name", scheme_name(ret->transport),
                         scheme_name(ret->transport));
    if (size > PATH_MOST)
        return malformed(text, "the path has %zu bytes; at most %d are possible", size, (int)PATH_MOST);
    memcpy(sa.sun_path, path, size);
    bool is_abstract = *path == '@';
    if (is_abstract)
        sa.sun_path[0] = 0;
    ret->address.transport = (uint16_t)ret->transport;
    ret->address.length = (uint16_t)(offsetof(struct sockaddr_un, sun_path) + size + (is_abstract ? 0 : 1));
    memcpy(ret->address.raw, &sa, sizeof sa);
    return 0;
}

/* True when what follows the colon can only follow a scheme: "tpc:127.0.0.1:80", "http://h", "unxi:/tmp/s". */
static bool is_schemed(const char *text, const char *colon)
{
    char all[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    if (colon == text || strcspn(text, "[]@/*.") < (size_t)(colon - text))
        return false;
    if (snprintf(all, sizeof all, "%s", text) < (int)sizeof all && inet_pton(AF_INET6, all, &v6) == 1)
        return false;
    return colon[1] == '/' || colon[1] == '@' || (strchr(colon + 1, ':') != NULL && colon[1] != ':');
}

int cordi_address_split(struct cordi_address_parts *ret, const char *text)
{
    const char *colon = strchr(text, ':'), *rest = text;
    *ret = (struct cordi_address_parts){ .transport = CORD_TCP };
    bool schemed = false;
    for (int i = 0; i < SCHEMES && colon != NULL && !schemed; i++)
        if (strlen(schemes[i].name) == (size_t)(colon - text) &&
            strncmp(text, schemes[i].name, (size_t)(colon - text)) == 0) {
            schemed = true;
            ret->transport = schemes[i].transport;
            rest = colon + 1;
        }
    if (!schemed && colon != NULL && is_schemed(text, colon))
        return unknown_scheme(text, (size_t)(colon - text));
    bool is_unix = ret->transport == CORD_UNIX || ret->transport == CORD_UNIXGRAM;
    if (schemed && strncmp(rest, "//", 2) == 0 && (!is_unix || rest[2] == '/' || rest[2] == '@'))
        rest += 2;
    if (is_unix)
        return path_part(ret, text, rest);
    if (ret->transport != CORD_FD)
        return inet_part(ret, text, rest, schemed);
    ret->address.transport = CORD_FD;
    if (!number(rest, 9, &ret->address.fd))
        return malformed(text, "no descriptor; write fd:NUMBER");
    return 0;
}

int cord_address_parse(cord_address *ret, const char *text)
{
    struct cordi_address_parts parts;
    int rc = cordi_address_split(&parts, text);
    if (rc < 0)
        return rc;
    if (parts.is_name) {
        char shown[CORD_ADDRESS_TEXT];
        return cordi_fail(CORD_ERESOLVE, "%s: a name, not a number; it has to be looked up",
                          cordi_address_show(&parts, shown, sizeof shown));
    }
    *ret = parts.address;
    return 0;
}

/* ---- from the system ---- */

bool cordi_address_inet(cord_address *ret, cord_transport transport, const struct sockaddr *found, unsigned port)
{
    size_t length = found->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (found->sa_family != AF_INET && found->sa_family != AF_INET6)
        return false;
    *ret = (cord_address){ .transport = (uint16_t)transport, .length = (uint16_t)length };
    memcpy(ret->raw, found, length);
    cord_address_port_set(ret, port);
    return true;
}

int cord_address_from(cord_address *ret, cord_transport transport, const struct sockaddr *sa, size_t length)
{
    bool is_unix = transport == CORD_UNIX || transport == CORD_UNIXGRAM;
    bool is_inet = transport == CORD_TCP || transport == CORD_UDP;
    if (length > sizeof ret->raw || (!is_unix && !is_inet) || (is_inet && length < sizeof(struct sockaddr_in)) ||
        (length >= sizeof sa->sa_family && is_unix != (sa->sa_family == AF_UNIX)) ||
        (is_inet && sa->sa_family != AF_INET && sa->sa_family != AF_INET6) ||
        (is_inet && sa->sa_family == AF_INET6 && length < sizeof(struct sockaddr_in6)))
        return cordi_fail(-EAFNOSUPPORT, "not an address of %s", scheme_name(transport));
    *ret = (cord_address){ .transport = (uint16_t)transport };
    if (length <= sizeof sa->sa_family)
        return 0; /* an unnamed UNIX socket */
    ret->length = (uint16_t)length;
    memcpy(ret->raw, sa, length);
    return 0;
}

/* ---- to text ---- */

int cordi_address_family(const cord_address *address)
{
    return address->length == 0 ? AF_UNSPEC : view(address).any.sa_family;
}

static bool is_inet(const cord_address *address)
{
    return cordi_address_family(address) == AF_INET || cordi_address_family(address) == AF_INET6;
}

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port), "one place");

unsigned cord_address_port(const cord_address *address)
{
    return is_inet(address) ? ntohs(view(address).v4.sin_port) : 0;
}

void cord_address_port_set(cord_address *address, unsigned port)
{
    union view all = view(address);
    if (!is_inet(address))
        return;
    all.v4.sin_port = htons((uint16_t)port);
    memcpy(address->raw, &all, sizeof all);
}

/* The path as written in addresses; a byte that does not print is shown as "?". */
static void path_text(const cord_address *address, char *buf, size_t size)
{
    union view all = view(address);
    size_t length = address->length - offsetof(struct sockaddr_un, sun_path), i = 0;
    if (length > sizeof all.un.sun_path)
        length = sizeof all.un.sun_path;
    bool is_abstract = length > 0 && all.un.sun_path[0] == 0;
    if (!is_abstract)
        length = strnlen(all.un.sun_path, length);
    for (; i < length && i + 1 < size; i++) {
        unsigned char c = (unsigned char)all.un.sun_path[i];
        buf[i] = i == 0 && is_abstract ? '@' : c < ' ' || c == 127 ? '?' : (char)c;
    }
    buf[i] = 0;
}

const char *cord_address_host(const cord_address *address, char *buf, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    union view all = view(address);
    if (size == 0)
        return buf;
    *buf = 0;
    switch (cordi_address_family(address)) {
    case AF_INET:
        inet_ntop(AF_INET, &all.v4.sin_addr, host, sizeof host);
        snprintf(buf, size, "%s", host);
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &all.v6.sin6_addr, host, sizeof host);
        if (all.v6.sin6_scope_id != 0)
            snprintf(buf, size, "%s%%%u", host, all.v6.sin6_scope_id);
        else
            snprintf(buf, size, "%s", host);
        break;
    case AF_UNIX:
        path_text(address, buf, size);
        break;
    default:
        break;
    }
    return buf;
}

const char *cord_address_text(const cord_address *address, char *buf, size_t size)
{
    char host[CORD_ADDRESS_TEXT];
    const char *scheme = scheme_name((cord_transport)address->transport);
    cord_address_host(address, host, sizeof host);
    switch (cordi_address_family(address)) {
    case AF_INET:
        snprintf(buf, size, "%s:%s:%u", scheme, strcmp(host, "0.0.0.0") == 0 ? "*" : host, cord_address_port(address));
        break;
    case AF_INET6:
        snprintf(buf, size, "%s:[%s]:%u", scheme, host, cord_address_port(address));
        break;
    default:
        if (address->transport == CORD_FD)
            snprintf(buf, size, "fd:%u", address->fd);
        else
            snprintf(buf, size, "%s:%s", scheme, host);
    }
    return buf;
}

const char *cordi_address_show(const struct cordi_address_parts *parts, char *buf, size_t size)
{
    if (!parts->is_name)
        return cord_address_text(&parts->address, buf, size);
    snprintf(buf, size, "%s:%.128s:%u", scheme_name(parts->transport), parts->host, parts->port);
    return buf;
}

bool cord_address_equal(const cord_address *a, const cord_address *b)
{
    char a_path[CORD_ADDRESS_TEXT], b_path[CORD_ADDRESS_TEXT];
    union view x = view(a), y = view(b);
    if (a->transport != b->transport || cordi_address_family(a) != cordi_address_family(b))
        return false;
    switch (cordi_address_family(a)) {
    case AF_INET:
        return x.v4.sin_port == y.v4.sin_port && x.v4.sin_addr.s_addr == y.v4.sin_addr.s_addr;
    case AF_INET6:
        return x.v6.sin6_port == y.v6.sin6_port && x.v6.sin6_scope_id == y.v6.sin6_scope_id &&
               memcmp(&x.v6.sin6_addr, &y.v6.sin6_addr, sizeof x.v6.sin6_addr) == 0;
    case AF_UNIX:
        if (x.un.sun_path[0] == 0 || y.un.sun_path[0] == 0) /* an abstract name may hold any bytes */
            return a->length == b->length && memcmp(&x, &y, a->length) == 0;
        path_text(a, a_path, sizeof a_path);
        path_text(b, b_path, sizeof b_path);
        return strcmp(a_path, b_path) == 0;
    default:
        return a->fd == b->fd;
    }
}
