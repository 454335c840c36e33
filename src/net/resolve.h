/* net/resolve.h - the addresses of an address text, for listen.c and connect.c. */
#ifndef CORDI_NET_RESOLVE_H
#define CORDI_NET_RESOLVE_H

#include "net/address.h"

enum { CORDI_RESOLVE_MOST = 16 };

/* At most max addresses of what was split, in the order to try them; the number found. Fails: as
 * cord_address_resolve(), with its sentence. */
int cordi_resolve_parts(cord_address *ret, size_t max, const struct cordi_address_parts *parts, cord_deadline deadline);

#endif
