/* net/stream.h - the read buffer of a stream, for stream.c and frame.c. All within a call's read turn. */
#ifndef CORDI_NET_STREAM_H
#define CORDI_NET_STREAM_H

#include <cordage/stream.h>

#include "net/socket.h"

/* As cordi_socket_enter(); -EOPNOTSUPP for datagrams. */
int cordi_stream_enter(struct cordi_call *call, cord_socket socket, enum cordi_direction direction,
                       cord_deadline deadline);

/* What has arrived and was not taken: how much, where (only when there is some), and taking it away. */
size_t cordi_stream_kept(const struct cordi_call *call);
const char *cordi_stream_bytes(const struct cordi_call *call);
void cordi_stream_drop(struct cordi_call *call, size_t size);

/* Waits for more and appends it: how much, 0 at the end of the stream, -errno. */
ssize_t cordi_stream_fill(struct cordi_call *call);

/* Takes skip bytes, which must be there already, and the next `size` into buf: size; 0 or CORD_EENDED when the stream
 * ends before or amid them; any other failure leaves everything, the skipped bytes too, for the next call. */
ssize_t cordi_stream_take(struct cordi_call *call, size_t skip, void *buf, size_t size);

#endif
