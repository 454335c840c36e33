/* net/systemd.h - sockets that systemd opened for us, and telling it how we are: sd_listen_fds(3), sd_notify(3). */
#ifndef CORDI_NET_SYSTEMD_H
#define CORDI_NET_SYSTEMD_H

/* The descriptors of that name ("": all), close-on-exec from now on; they stay open whatever is done with them. How
 * many there are, of which the first `most` are stored. The environment stays as it is: it may be asked again.
 * Fails, with a sentence: -ENOENT (none was passed to this process, or none has that name), -EINVAL (the variables make
 * no sense), -EBADF, -ENOTSOCK. */
int cordi_systemd_sockets(const char *name, int *fds, int most);

/* Sends a state ("READY=1", "STOPPING=1", "STATUS=...") to $NOTIFY_SOCKET; waits for a second at most. 0 also when that
 * is not set: nobody wants to know. Fails, with a sentence: -EINVAL (no such address), -ETIMEDOUT (its queue is full),
 * -ENOENT, -ECONNREFUSED, ... */
int cordi_systemd_notify(const char *state);

#endif
