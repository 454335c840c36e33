# The front door; CMakeLists.txt builds. `make help` lists what there is.
PORT = 9090
FILE =
ARGS =
PATTERN =
PREFIX = /usr/local
configure = cmake --preset release >/dev/null
configured = { test -f build/build.ninja || $(configure); }
build = cmake --build build -- --quiet $(1) | sed '/no work to do/d'
valgrind = valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
	--errors-for-leak-kinds=definite --suppressions=tools/valgrind.supp
# Left out for aarch64: the emulator cannot fork a process that has threads, starts no programs of a test, and invents
# /proc/self/stat. Runs through every schedule are the same on every processor, and take too long in it.
not_emulated = interleave process shared fork child harness. overflow. debug. pool. resolve.
SHELL = /bin/bash
.SHELLFLAGS = -o pipefail -c

all: ## build the library, the command, the examples and the tests
	@tools/deps.sh run && $(configured) && cmake --build build

run: ## open a chat room on PORT=9090, for everything that speaks UDP or TCP
	@tools/deps.sh run && $(configured) && $(call build,cordage)
	@tools/run_room.sh $(PORT)

test: ## run the tests (four to five minutes on 2 CPUs); PATTERN=queue runs those whose name contains it
	@tools/deps.sh test && $(configure) && cmake --build build # `make run` may have configured without Check
	@tools/run_tests.py $(PATTERN)

test-asan test-tsan test-clang: test-%: ## the tests in another build: sanitizers, the other compiler
	@tools/deps.sh all && cmake --preset $* >/dev/null && cmake --build build-$* -- --quiet
	@CORD_TEST_SLOW=4 tools/run_tests.py --build build-$* $(PATTERN)

test-valgrind: ## the test programs under valgrind, on epoll
	@tools/deps.sh all && $(configure) && cmake --build build
	@CORD_TEST_SLOW=5 CORD_TEST_BACKEND=epoll tools/run_tests.py --programs-only \
		--under '$(valgrind)' $(PATTERN)

test-ucontext: ## the tests with the C library's switch of stacks, as on other processors
	@tools/deps.sh test && cmake --preset ucontext >/dev/null && cmake --build build-ucontext -- --quiet
	@tools/run_tests.py --build build-ucontext --programs-only $(PATTERN)

test-aarch64: ## the test programs for aarch64, on epoll and without io_uring, under an emulator
	@tools/deps.sh aarch64 && tools/aarch64_root.sh build-aarch64/root
	@cmake --no-warn-unused-cli --preset aarch64 >/dev/null && cmake --build build-aarch64 -- --quiet
	@CORD_TEST_SLOW=5 CORD_TEST_BACKEND=epoll CORD_TEST_SKIP="$(not_emulated)" \
		tools/run_tests.py --build build-aarch64 --programs-only \
		--under 'qemu-aarch64 -L build-aarch64/root' $(PATTERN)

soak: ## open and close 100,000 connections to a server of each kind (minutes); prints its memory and descriptors
	@tools/deps.sh test && $(configured) && $(call build,cordage)
	@CORD_SOAK=100000 tests/interop/crowd.py soak

test-all: test test-asan test-tsan test-clang test-valgrind ## the whole matrix; takes long

try: ## build and run a program of your own: make try FILE=hello.c ARGS="..."
	@tools/deps.sh run && $(configured) && $(call build,libcordage.a)
	@tools/try.sh "$(FILE)" $(ARGS)

bench: ## measure beside what one would use instead; PATTERN=echo measures what has that in its name
	@tools/deps.sh test && $(configure) -DCORDAGE_BENCH=ON && $(build)
	@bench/run.py "$(PATTERN)"

bench-deps: ## install what `make bench` compares with
	@tools/deps.sh bench

install: all ## install under PREFIX=/usr/local (and DESTDIR)
	@cmake --install build --prefix "$(PREFIX)"
	@test -n "$(DESTDIR)" || test "$$(id -u)" != 0 || ldconfig

deps: ## install the packages that building and testing need
	@tools/deps.sh all

clean: ## remove what was built
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9 -]*\):.*## /\1: /p' Makefile

.PHONY: all run test test-asan test-tsan test-clang test-valgrind test-ucontext test-aarch64 soak test-all try \
	bench bench-deps install deps clean help
