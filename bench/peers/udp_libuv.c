/* bench/peers/udp_libuv.c - a UDP echo by libuv; prints "listening PORT". */
#include <stdio.h>

#include <uv.h>

static char memory[65536];

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(memory, sizeof memory);
}

static void received(uv_udp_t *socket, ssize_t n, const uv_buf_t *buffer, const struct sockaddr *from, unsigned flags)
{
    uv_buf_t piece = uv_buf_init(buffer->base, n > 0 ? (unsigned)n : 0);
    (void)flags;
    if (n >= 0 && from != NULL)
        uv_udp_try_send(socket, &piece, 1, from);
}

int main(void)
{
    uv_udp_t socket;
    struct sockaddr_in address;
    int length = sizeof address, room = 4 << 20;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_udp_init(uv_default_loop(), &socket);
    int rc = uv_udp_bind(&socket, (const struct sockaddr *)&address, 0);
    if (rc == 0)
        rc = uv_udp_recv_start(&socket, give_buffer, received);
    if (rc < 0) {
        fprintf(stderr, "udp_libuv: %s\n", uv_strerror(rc));
        return 1;
    }
    uv_recv_buffer_size((uv_handle_t *)&socket, &room);
    uv_udp_getsockname(&socket, (struct sockaddr *)&address, &length);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
