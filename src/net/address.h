/* net/address.h - an address text taken apart, for resolve.c and listen.c. */
#ifndef CORDI_NET_ADDRESS_H
#define CORDI_NET_ADDRESS_H

#include <cordage/address.h>

enum { CORDI_ADDRESS_HOST = 254 }; /* the longest name of the DNS and a NUL */

struct cordi_address_parts {
    cord_transport transport;
    bool is_name;                  /* host has to be looked up; else address is complete */
    unsigned port;                 /* of tcp and udp */
    char host[CORDI_ADDRESS_HOST]; /* only when is_name */
    cord_address address;          /* only when not is_name */
};

/* Fails: CORD_EADDRESS, with its sentence. */
int cordi_address_split(struct cordi_address_parts *ret, const char *text);

/* The short form of what was split, for sentences: at least CORD_ADDRESS_TEXT bytes. Returns buf. */
const char *cordi_address_show(const struct cordi_address_parts *parts, char *buf, size_t size);

/* SOCK_STREAM or SOCK_DGRAM. */
int cordi_address_type(cord_transport transport);

/* AF_INET...; AF_UNSPEC: none. */
int cordi_address_family(const cord_address *address);

/* Puts an IPv4 or IPv6 address of a look-up into ret, with the port. False: another family. */
bool cordi_address_inet(cord_address *ret, cord_transport transport, const struct sockaddr *found, unsigned port);

#endif
