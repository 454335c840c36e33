/* Sends one datagram and ends. That it was sent does not say that anybody got it: UDP hands it over, no more.
 * Note S2 lines 53-72 (row 13). Python: sendto(send_data.encode('utf-8'), ('192.168.1.103', 8080)).
 * Run: ./13_send_once [ADDRESS]      default udp:192.168.1.103:8080 */
#include <string.h>

#include <cordage.h>

int main(int argc, char **argv)
{
    char line[4096];
    cord_socket sk = { 0 };
    ssize_t rc = cord_input("请输入要发送的数据:", line, sizeof line, CORD_FOREVER);
    if (rc > 0 && (rc = cord_connect(&sk, argc > 1 ? argv[1] : "udp:192.168.1.103:8080", NULL, CORD_FOREVER)) == 0)
        rc = cord_send(sk, line, strlen(line), CORD_FOREVER); /* at the end of input, 0, there is nothing to send */
    cord_close(&sk);
    return cord_report("13_send_once", rc);
}
