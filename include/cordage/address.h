/* cordage/address.h - addresses as text: tcp:127.0.0.1:9090.
 *
 *   tcp:HOST:PORT  udp:HOST:PORT   HOST a name, an IPv4 address, an IPv6 address in brackets, * for every interface
 *   unix:/path  unix:@name         a UNIX stream; @ is Linux's abstract name space
 *   unixgram:/path  unixgram:@name UNIX datagrams
 *   fd:3                           a descriptor this process was given (kept, a copy is used)
 * No scheme means tcp, no host 127.0.0.1 (":80"); tcp://h:p is read as tcp:h:p; port 0 picks a free one.
 */
#ifndef CORDAGE_ADDRESS_H
#define CORDAGE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordage/attributes.h>
#include <cordage/time.h>

struct sockaddr;

CORD_BEGIN

typedef enum { CORD_NO_TRANSPORT = 0, CORD_TCP, CORD_UDP, CORD_UNIX, CORD_UNIXGRAM, CORD_FD } cord_transport;

typedef struct {
    uint16_t transport; /* a cord_transport */
    uint16_t length;    /* of the struct sockaddr in raw; 0: none (an unnamed UNIX peer) */
    uint32_t fd;        /* of fd: addresses */
    uint64_t raw[16];   /* a struct sockaddr of any family */
} cord_address;

enum { CORD_ADDRESS_TEXT = 160 }; /* room for any address as text */

/* Reads an address whose host is a number; looks nothing up. Fails: CORD_EADDRESS with a sentence that says what to
 * write, CORD_ERESOLVE (a name: use cord_address_resolve). Any thread. */
CORD_API CORD_MUST_CHECK int cord_address_parse(cord_address *ret, const char *text);

/* As parse, but names are looked up off the loop (getaddrinfo(3) on a helper thread): at most max addresses, in the
 * order to try them (RFC 6724, families interleaved as in RFC 8305); the number found.
 * Fails: CORD_EADDRESS, CORD_ERESOLVE, -ETIMEDOUT, -ECANCELED. */
CORD_API CORD_MUST_CHECK int cord_address_resolve(cord_address *ret, size_t max, const char *text,
                                                  cord_deadline deadline);

/* From what the system uses; transport says tcp or udp, unix or unixgram. Fails: -EAFNOSUPPORT. */
CORD_API CORD_MUST_CHECK int cord_address_from(cord_address *ret, cord_transport transport, const struct sockaddr *sa,
                                               size_t length);

/* The short form as text, cut to size; always ends in a NUL. Returns buf. */
CORD_API const char *cord_address_text(const cord_address *address, char *buf, size_t size);

/* The port of tcp and udp, 0 for the others; set gives an address another port. */
CORD_API unsigned cord_address_port(const cord_address *address);
CORD_API void cord_address_port_set(cord_address *address, unsigned port);

/* The host of tcp and udp as text without brackets ("127.0.0.1"), the path of unix; "" if none. Returns buf. */
CORD_API const char *cord_address_host(const cord_address *address, char *buf, size_t size);

/* The same transport, host, port or path. */
CORD_API bool cord_address_equal(const cord_address *a, const cord_address *b);

CORD_END

#endif
