/* bench/peers/accept_libuv.c - accepts and closes at once, by libuv; prints "listening PORT". */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void connected(uv_stream_t *listener, int status)
{
    uv_tcp_t *client = malloc(sizeof *client);
    uv_tcp_init(listener->loop, client);
    if (status == 0)
        (void)!uv_accept(listener, (uv_stream_t *)client);
    uv_close((uv_handle_t *)client, free_handle);
}

int main(void)
{
    uv_tcp_t listener;
    struct sockaddr_in address;
    int length = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(uv_default_loop(), &listener);
    uv_tcp_bind(&listener, (const struct sockaddr *)&address, 0);
    int rc = uv_listen((uv_stream_t *)&listener, 4096, connected);
    if (rc < 0) {
        fprintf(stderr, "accept_libuv: %s\n", uv_strerror(rc));
        return 1;
    }
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
