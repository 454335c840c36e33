/* bench/peers/echo_libevent.c - an echo server by libevent's buffered events; prints "listening PORT". */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

static void received(struct bufferevent *client, void *state)
{
    (void)state;
    evbuffer_add_buffer(bufferevent_get_output(client), bufferevent_get_input(client));
}

static void ended(struct bufferevent *client, short what, void *state)
{
    (void)what, (void)state;
    bufferevent_free(client);
}

static void connected(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int length,
                      void *state)
{
    int one = 1;
    struct bufferevent *client = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    (void)peer, (void)length, (void)state;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bufferevent_setcb(client, received, NULL, ended, NULL);
    bufferevent_enable(client, EV_READ | EV_WRITE);
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
        perror("echo_libevent");
        return 1;
    }
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return event_base_dispatch(base);
}
