#!/bin/sh
# Debian packages that a goal needs: `packages.sh build`, `packages.sh test`, ... Installs what is missing as root; otherwise
# prints the one line that does and exits 1. On machines without dpkg it only says what it would want.
set -eu
goal=${1:-build}

build="cmake ninja-build pkg-config gcc libc6-dev python3 protobuf-compiler protobuf-c-compiler libprotobuf-dev
libprotobuf-c-dev libgrpc-dev zlib1g-dev libcurl4-openssl-dev libssl-dev libuv1-dev libyaml-dev ca-certificates curl"
test="$build clang libclang-rt-14-dev clang-format libcmocka-dev python3-venv openssl procps"
bench="$test wrk nginx-light nghttp2-client util-linux"
# The image is built in a root of its own (tools/newroot.sh), or from this machine's packages (IMAGE_ROOT=host).
image="mmdebstrap debian-archive-keyring util-linux"
[ "${IMAGE_ROOT:-new}" = new ] || image="$build binutils tzdata"
test_image="$image runc umoci skopeo golang-github-containers-common curl python3"
# What a Kubernetes node runs on, and what tests/cluster asks of the machine.
cluster="containerd runc containernetworking-plugins iptables conntrack ethtool socat kmod iproute2 util-linux curl openssl
procps make python3 python3-venv"
test_newroot="$test $image patchelf"
# Namespaces in which tests/chart starts what is rendered.
test_chart="$build python3-venv iproute2 util-linux"

case $goal in
build) wanted=$build ;;
test) wanted=$test ;;
bench) wanted=$bench ;;
image) wanted=$image ;;
test-image) wanted=$test_image ;;
cluster) wanted=$cluster ;;
test-newroot) wanted=$test_newroot ;;
test-chart) wanted=$test_chart ;;
*) echo "usage: packages.sh build|test|bench|image|test-image|cluster|test-newroot|test-chart" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "packages.sh: not a Debian system; these packages or their like are needed:" $wanted >&2
    exit 0
fi
# llhttp: a library on Debian 13, the C sources of node-llhttp on Debian 12.
if [ "${wanted#"$build"}" != "$wanted" ] && [ ! -e /usr/include/llhttp.h ] && [ ! -e /usr/share/llhttp/llhttp.c ]; then
    if apt-cache show libllhttp-dev >/dev/null 2>&1; then
        wanted="$wanted libllhttp-dev"
    else
        wanted="$wanted node-llhttp"
    fi
fi
missing=""
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

line="apt-get update && apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" != 0 ]; then
    echo "Remora needs packages that are not installed. As root:" >&2
    echo "  $line" >&2
    exit 1
fi
echo "installing:$missing"
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
log=$(mktemp)
if ! (apt-get update && apt-get install -y --no-install-recommends $missing) >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "packages.sh: apt-get failed" >&2
    exit 1
fi
rm -f "$log"
