"""An echo server by gevent's StreamServer, a greenlet for each connection; prints "listening PORT"."""
import socket

from gevent.server import StreamServer


def echo(conn, _):
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := conn.recv(16384):
        conn.sendall(data)


server = StreamServer(("127.0.0.1", 0), echo, backlog=4096)
server.start()
print("listening", server.server_port, flush=True)
server.serve_forever()
