#!/bin/sh -e
# The end of `make try FILE=hello.c`: compiles a program against the build tree, says with which line, and runs it.
file=$1
if [ ! -f "$file" ]; then
    echo "try: ${file:-no file given}${file:+: no such file}; write make try FILE=hello.c" >&2
    exit 2
fi
shift
mkdir -p build/try
program=build/try/$(basename "$file" .c)
json=
if grep -q jansson.h "$file"; then json=-ljansson; fi
libraries=$(sed -n 's/^Libs.private: *//p' build/cordage.pc) # -luring only where the library was built with it
compile() {
    echo "$*"
    "$@"
}
# shellcheck disable=SC2086 # no word when there is no json
compile cc -O2 -g -Wall -Iinclude -o "$program" "$file" build/libcordage.a $json $libraries
trap : INT # Ctrl-C is for the program
"$program" "$@"
