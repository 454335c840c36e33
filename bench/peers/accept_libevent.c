/* bench/peers/accept_libevent.c - accepts and closes at once, by libevent; prints "listening PORT". */
#include <arpa/inet.h>
#include <stdio.h>

#include <event2/event.h>
#include <event2/listener.h>

static void connected(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int length,
                      void *state)
{
    (void)listener, (void)peer, (void)length, (void)state;
    evutil_closesocket(fd);
}

int main(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    struct event_base *base = event_base_new();
    struct evconnlistener *listener =
        evconnlistener_new_bind(base, connected, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 4096,
                                (struct sockaddr *)&address, sizeof address);
    if (!listener || getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&address, &length) < 0) {
        perror("accept_libevent");
        return 1;
    }
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return event_base_dispatch(base);
}
