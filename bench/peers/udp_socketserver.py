"""A UDP echo by socketserver's ThreadingUDPServer, a thread for each datagram; prints "listening PORT"."""
import socket
import socketserver


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        sock.sendto(data, self.client_address)


class Server(socketserver.ThreadingUDPServer):
    max_packet_size = 65536
    daemon_threads = True


with Server(("127.0.0.1", 0), Echo) as server:
    server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    print("listening", server.server_address[1], flush=True)
    server.serve_forever()
