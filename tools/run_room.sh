#!/bin/sh
# The end of `make run`: a chat room on a port, and how to join it from another terminal.
port=$1
cat << END
A chat room opens on udp:127.0.0.1:$port and tcp:127.0.0.1:$port. Join it from another terminal, in this directory:

    build/cordage chat udp:127.0.0.1:$port --name ann
    nc 127.0.0.1 $port
    python3 -c 'import socket; s = socket.create_connection(("127.0.0.1", $port)); s.sendall(b"hello from Python\n")'

What you type here goes to all. Ctrl-C closes the room.

END
trap : INT # Ctrl-C is for the server
build/cordage serve chat "udp:127.0.0.1:$port" "tcp:127.0.0.1:$port"
code=$?
[ "$code" = 130 ] || exit "$code"
