#!/bin/sh
# Sees that the packages of a group are there, by looking for what they bring, not for their names.
#
#     tools/deps.sh [run|test|all|bench|aarch64]
#
# run: what `make run` needs beyond a C toolchain (cc, cmake, ninja). test: what `make test` needs too. all: and what
# `make test-all` needs. bench: what `make bench` compares with; it does without. aarch64: a compiler for that and an
# emulator. When some are missing: on a terminal it asks once, then installs with apt-get; as root without a terminal (a
# container, a CI machine) it installs and says so; else it prints the line to type and exits with 1.
group=${1:-run}

file_there() { test -f "$1"; }
command_there() { command -v "$1" > /dev/null; }
header_there() { echo "#include <$1>" | cc -E -x c - > /dev/null 2>&1; }
library_there() { echo 'int main(void) { return 0; }' | cc -x c - "-l$1" -o /dev/null 2> /dev/null; }
python_there() { python3 -c "import $1" 2> /dev/null || /usr/bin/python3 -c "import $1" 2> /dev/null; }

missing=
need() { # need PACKAGE PROBE ARGUMENT
    "$2" "$3" || missing="$missing $1"
}

need gcc command_there cc
need libc6-dev header_there stdio.h
need cmake command_there cmake
need ninja-build command_there ninja
need liburing-dev header_there liburing.h
need libjansson-dev header_there jansson.h
if [ "$group" != run ]; then
    need check header_there check.h
    need python3 command_there python3
    need mandoc command_there mandoc
    need netcat-openbsd command_there nc
    need ncat command_there ncat
    need socat command_there socat
    need curl command_there curl
    need iproute2 command_there ip
fi
if [ "$group" = aarch64 ]; then
    need gcc-aarch64-linux-gnu command_there aarch64-linux-gnu-gcc
    need libc6-dev-arm64-cross file_there /usr/aarch64-linux-gnu/include/stdio.h
    need qemu-user command_there qemu-aarch64
fi
if [ "$group" = all ]; then
    need g++ command_there c++
    need clang command_there clang
    need clang-format command_there clang-format
    need valgrind command_there valgrind
fi
if [ "$group" = bench ]; then
    need g++ command_there c++
    need pkg-config command_there pkg-config
    need libuv1-dev header_there uv.h
    need libevent-dev header_there event2/event.h
    need libboost-dev header_there boost/version.hpp
    need libboost-context-dev library_there boost_context
    need libboost-fiber-dev library_there boost_fiber
    need libglib2.0-dev library_there glib-2.0
    need libzmq3-dev header_there zmq.h
    need golang-go command_there go
    need python3-gevent python_there gevent
    need gnuplot-nox command_there gnuplot
fi
[ -n "$missing" ] || exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo="sudo "
line="${sudo}apt-get install -qq -y --no-install-recommends$missing"
if ! command_there apt-get; then
    echo "missing:$missing (Debian's names); install them, then try again" >&2
    exit 1
elif [ -t 0 ] && [ -t 2 ]; then
    printf 'missing:%s\ninstall with: %s\ndo that now? [Y/n] ' "$missing" "$line" >&2
    read -r answer
    case $answer in n* | N*) exit 1 ;; esac
elif [ -n "$sudo" ]; then
    printf 'missing:%s\ninstall with: %s\n' "$missing" "$line" >&2
    exit 1
else
    echo "installing what is missing:$missing" >&2
fi
# shellcheck disable=SC2086 # a list of words
${sudo}apt-get -qq update && DEBIAN_FRONTEND=noninteractive $line > /dev/null
