/* cordage/datagram.h - many datagrams a call, and trains: datagrams of one size to or from one peer, as one piece.
 *
 * One call takes or hands over up to 64 datagrams where recv and send move one. A train goes through the kernel as one
 * packet and is cut on the way out, or by the peer's kernel; that is where the speed is (GSO and GRO, udp(7)). What
 * was received can be sent as it is, so an echo is these two calls in a loop.
 * Trains are received only by sockets that ask for it (.trains in the options of cord_listen and cord_connect).
 * From recvmmsg(2), sendmmsg(2), UDP_SEGMENT and UDP_GRO; Python has none of these.
 */
#ifndef CORDAGE_DATAGRAM_H
#define CORDAGE_DATAGRAM_H

#include <cordage/socket.h>

CORD_BEGIN

typedef struct {
    void *data;        /* the bytes: the caller's memory, in both directions */
    size_t room;       /* receiving: how many fit into data; is left as it is. A train has up to 65507 */
    size_t size;       /* how many there are; of a train: of all its datagrams */
    size_t segment;    /* each datagram has so many and only the last may have fewer; received alone: segment == size.
                          Sending: 0, or size and more, is one datagram */
    cord_address peer; /* who sent it; sending: to whom, length 0: the connected peer */
    bool truncated;    /* received: it was longer than room */
} cord_datagram;

/* Waits for the first datagram, then takes what is there, at most count and at most 64: how many entries were filled.
 * 0: reading was shut down. Fails: -ECONNREFUSED (udp, connected; what has arrived comes with the next call), -EINVAL
 * (count 0), -EOPNOTSUPP (a stream). Waits; any kind. */
CORD_API CORD_MUST_CHECK int cord_recv_many(cord_socket socket, cord_datagram *list, size_t count,
                                            cord_deadline deadline);

/* Sends all of them, in order: count, or a failure; cord_socket_sent() then tells how many of the list went whole.
 * Trains of any length: at most 64 datagrams and 65507 bytes go at once, and where the system has no trains (unixgram,
 * older kernels, datagrams longer than the network's packets) their datagrams go one by one.
 * Fails: as cord_send_to(), -EINVAL (over INT_MAX), -EOPNOTSUPP (a stream). Waits; any kind. */
CORD_API CORD_MUST_CHECK int cord_send_many(cord_socket socket, const cord_datagram *list, size_t count,
                                            cord_deadline deadline);

CORD_END

#endif
