/* cordage/stream.h - lines, exact amounts and messages on a stream.
 *
 * A stream has no message borders: what was sent in one piece may arrive in two, and two in one. These calls put
 * borders in: by line, by length, or by delimiter. Their read buffer comes with the first of them, and cord_recv()
 * gives out what is in it first, so the two can be mixed. A call that fails with -ETIMEDOUT or -ECANCELED keeps what
 * has arrived for the next one. All of them answer as socket.h says, and on datagram sockets -EOPNOTSUPP.
 * From Python: makefile, asyncio.StreamReader; the length prefix is that of multiprocessing.connection.
 */
#ifndef CORDAGE_STREAM_H
#define CORDAGE_STREAM_H

#include <cordage/socket.h>

CORD_BEGIN

/* One line without its newline ("\n" or "\r\n"), ended by a NUL. The newline is counted, as one: an empty line is 1,
 * the end of the stream 0, and a last line without newline its length. Fails: CORD_ETOOLONG (no newline within size
 * bytes). */
CORD_API CORD_MUST_CHECK ssize_t cord_read_line(cord_socket socket, char *buf, size_t size, cord_deadline deadline);

/* Exactly size bytes: size, or 0 when the stream ends before the first. Fails: CORD_EENDED (it ended between; what
 * came is in buf). */
CORD_API CORD_MUST_CHECK ssize_t cord_read_exact(cord_socket socket, void *buf, size_t size, cord_deadline deadline);

/* Up to and with the delimiter; how many bytes, 0 at the end of the stream. Fails: CORD_ETOOLONG (not within size
 * bytes), CORD_EENDED (the stream ended without it; read_exact or recv gives the rest). */
CORD_API CORD_MUST_CHECK ssize_t cord_read_until(cord_socket socket, void *buf, size_t size, const char *delimiter,
                                                 cord_deadline deadline);

/* Copies what comes next, at most size bytes, and leaves it there; at least one byte unless the stream ended (0). */
CORD_API CORD_MUST_CHECK ssize_t cord_peek(cord_socket socket, void *buf, size_t size, cord_deadline deadline);

/* Gathers writes: small ones are kept (at most 16 KiB) until flush, a large one goes out at once with what was kept.
 * cord_close() does not flush. cord_send*() on the same socket flushes first. Answers size. */
CORD_API CORD_MUST_CHECK ssize_t cord_write(cord_socket socket, const void *buf, size_t size, cord_deadline deadline);
CORD_API CORD_MUST_CHECK int cord_flush(cord_socket socket, cord_deadline deadline);

/* A message with its length in front: 4 bytes, big endian (-1 and 8 bytes from 2 GiB on), as Python's
 * multiprocessing.connection writes it. recv answers the message's size, which may be 0; the end of the stream is
 * CORD_EENDED. Fails: CORD_ETOOLONG (larger than size: nothing is taken; cord_frame_size tells how large). */
CORD_API CORD_MUST_CHECK ssize_t cord_send_frame(cord_socket socket, const void *buf, size_t size,
                                                 cord_deadline deadline);
CORD_API CORD_MUST_CHECK ssize_t cord_recv_frame(cord_socket socket, void *buf, size_t size, cord_deadline deadline);

/* The size of the frame that comes next, without taking it. Fails: as recv_frame, -EPROTO (no such length). */
CORD_API CORD_MUST_CHECK int64_t cord_frame_size(cord_socket socket, cord_deadline deadline);

CORD_END

#endif
