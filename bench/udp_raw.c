/* bench/udp_raw.c - the yardstick for datagrams: an echo as a bare loop of recvmmsg(2) and sendmmsg(2), 64 at a time,
 * on a blocking socket, with headers that are made once. `udp_raw [trains]`: with trains it receives with UDP_GRO and
 * sends each train back with UDP_SEGMENT. Prints "listening PORT" and serves until it is killed. */
#include <arpa/inet.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, MOST = 65536 };

static char buffers[BATCH][MOST];
static struct sockaddr_in peers[BATCH];
static struct iovec pieces[BATCH];
static struct mmsghdr list[BATCH];
static union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
} controls[BATCH];

static void prepare(int count, bool trains)
{
    for (int i = 0; i < count; i++) {
        struct msghdr *message = &list[i].msg_hdr;
        pieces[i] = (struct iovec){ buffers[i], MOST };
        *message = (struct msghdr){ &peers[i], sizeof peers[i], &pieces[i], 1, NULL, 0, 0 };
        if (trains) {
            message->msg_control = &controls[i];
            message->msg_controllen = sizeof controls[i];
        }
    }
}

/* What came becomes what is sent. */
static void turn_around(int count, bool trains)
{
    for (int i = 0; i < count; i++) {
        struct msghdr *message = &list[i].msg_hdr;
        pieces[i].iov_len = list[i].msg_len;
        struct cmsghdr *head = trains ? CMSG_FIRSTHDR(message) : NULL;
        int cut = 0;
        if (head != NULL)
            memcpy(&cut, CMSG_DATA(head), sizeof cut);
        if (cut > 0 && (unsigned)cut < list[i].msg_len) {
            head->cmsg_type = UDP_SEGMENT;
            head->cmsg_len = CMSG_LEN(sizeof(uint16_t));
            memcpy(CMSG_DATA(head), &(uint16_t){ (uint16_t)cut }, sizeof(uint16_t));
            message->msg_controllen = CMSG_SPACE(sizeof(uint16_t));
        } else {
            message->msg_control = NULL;
            message->msg_controllen = 0;
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    bool trains = argc > 1 && strcmp(argv[1], "trains") == 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1, room = 4 << 20;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0) {
        perror("udp_raw");
        return 1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (trains)
        setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof one);
    getsockname(fd, (struct sockaddr *)&address, &length);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    prepare(BATCH, trains);
    for (int count; (count = recvmmsg(fd, list, BATCH, MSG_WAITFORONE, NULL)) >= 0;) {
        turn_around(count, trains);
        for (int sent = 0, rc; sent < count; sent += rc)
            if ((rc = sendmmsg(fd, list + sent, (unsigned)(count - sent), 0)) < 0)
                rc = 1; /* that one is lost */
        prepare(count, trains);
    }
    perror("udp_raw");
    return 1;
}
