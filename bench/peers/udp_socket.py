"""A UDP echo by recvfrom and sendto; prints "listening PORT"."""
import socket

sock = socket.socket(type=socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
sock.bind(("127.0.0.1", 0))
print("listening", sock.getsockname()[1], flush=True)
while True:
    data, peer = sock.recvfrom(65536)
    sock.sendto(data, peer)
