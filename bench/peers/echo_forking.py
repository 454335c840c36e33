"""An echo server by socketserver's ForkingTCPServer, a child for each connection; prints "listening PORT"."""
import socketserver


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(16384):
            self.request.sendall(data)


class Server(socketserver.ForkingTCPServer):
    request_queue_size = 4096


with Server(("127.0.0.1", 0), Echo) as server:
    print("listening", server.server_address[1], flush=True)
    server.serve_forever()
