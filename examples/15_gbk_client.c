/* The TCP client that asks for everything, and speaks GBK.
 * Note S2 lines 138-160 (row 15). Python: int(input(...)), connect, send_data.encode('gbk'), recv(1024).decode('gbk').
 * Run: ./15_gbk_client      and answer its three questions; ./16_gbk_server is the other side
 * Each failure has a sentence of its own: a port that is no number, nobody listening there, a character that GBK does
 * not have (found before anything is sent). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cordage.h>

/* Asks for the server and connects to it: 1, 0 at the end of input, or a failure. */
static ssize_t ask_and_connect(cord_socket *sk)
{
    char ip[128], number[64], address[256];
    int64_t port;
    ssize_t rc = cord_input("请输入服务器ip:", ip, sizeof ip, CORD_FOREVER);
    if (rc > 0)
        rc = cord_input("请输入服务器port:", number, sizeof number, CORD_FOREVER);
    if (rc <= 0 || (rc = cord_int_parse(&port, number)) < 0)
        return rc;
    snprintf(address, sizeof address, "tcp:%s:%" PRId64, ip, port);
    rc = cord_connect(sk, address, NULL, CORD_FOREVER);
    return rc < 0 ? rc : 1;
}

/* One text there, one back. */
static ssize_t talk(cord_socket sk)
{
    char text[3073], wire[3 * sizeof text];
    ssize_t rc = cord_input("请输入要发送的数据:", text, sizeof text, CORD_FOREVER);
    if (rc <= 0 || (rc = cord_encode(wire, sizeof wire, "gbk", text, strlen(text), CORD_STRICT)) < 0)
        return rc;
    rc = cord_send_all(sk, wire, (size_t)rc, CORD_FOREVER);
    if (rc >= 0)
        rc = cord_recv(sk, wire, 1024, CORD_FOREVER);
    if (rc >= 0)
        rc = cord_decode(text, sizeof text, "gbk", wire, (size_t)rc, CORD_STRICT);
    if (rc >= 0)
        cord_print("接收到的数据为: %s\n", text);
    return rc;
}

int main(void)
{
    cord_socket sk = { 0 };
    ssize_t rc = ask_and_connect(&sk);
    if (rc > 0)
        rc = talk(sk);
    cord_close(&sk);
    return cord_report("15_gbk_client", rc);
}
