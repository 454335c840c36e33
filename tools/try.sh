#!/bin/sh -e
# The end of `make try FILE=hello.c`: compiles a program against the build tree, says with which line, and runs it.
file=$1
if [ ! -f "$file" ]; then
    echo "try: ${file:-no file given}${file:+: not found}; write make try FILE=hello.c" >&2
    exit 2
fi
shift
mkdir -p build/try
program=build/try/$(basename "$file" .c)
json=
if grep -q jansson.h "$file"; then json=' -ljansson'; fi
line="cc -O2 -g -Wall -Iinclude -o $program $file build/libcordage.a$json -luring -pthread"
echo "$line"
$line
trap : INT # Ctrl-C is for the program
"$program" "$@"
