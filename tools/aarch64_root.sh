#!/bin/sh
# Unpacks the libraries that the tests need, for arm64, into the folder that is named: Debian's packages, which are
# downloaded and not installed. The machine's own packages and its list of architectures stay as they are.
#
#     tools/aarch64_root.sh build-aarch64/root
set -e
mkdir -p "$1"
root=$(cd "$1" && pwd)
[ ! -f "$root/complete" ] || exit 0
mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial"
cd "$root"
quiet_apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists="$root/apt/lists" \
        -o Dir::State::status=/dev/null -o Dir::Cache="$root/apt" -o APT::Sandbox::User=root "$@"
}
echo "downloading arm64 libraries into $root" >&2
quiet_apt update
quiet_apt download libc6 libgcc-s1 check libsubunit0 libsubunit-dev libjansson4 libjansson-dev > /dev/null
for package in *.deb; do
    dpkg -x "$package" .
done
rm -r apt ./*.deb
touch complete
