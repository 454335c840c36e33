/* bench/peers/echo_libuv.c - an echo server by libuv, as its guide writes one; prints "listening PORT". */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

enum { BUFFER = 16384 };

struct answer {
    uv_write_t request;
    uv_buf_t piece;
};

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(malloc(BUFFER), BUFFER);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void sent(uv_write_t *request, int status)
{
    struct answer *answer = (struct answer *)request;
    (void)status;
    free(answer->piece.base);
    free(answer);
}

static void received(uv_stream_t *client, ssize_t n, const uv_buf_t *buffer)
{
    if (n > 0) {
        struct answer *answer = malloc(sizeof *answer);
        answer->piece = uv_buf_init(buffer->base, (unsigned)n);
        uv_write(&answer->request, client, &answer->piece, 1, sent);
        return;
    }
    free(buffer->base);
    if (n < 0)
        uv_close((uv_handle_t *)client, free_handle);
}

static void connected(uv_stream_t *listener, int status)
{
    uv_tcp_t *client = malloc(sizeof *client);
    uv_tcp_init(listener->loop, client);
    if (status < 0 || uv_accept(listener, (uv_stream_t *)client) < 0) {
        uv_close((uv_handle_t *)client, free_handle);
        return;
    }
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, give_buffer, received);
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
        fprintf(stderr, "echo_libuv: %s\n", uv_strerror(rc));
        return 1;
    }
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
