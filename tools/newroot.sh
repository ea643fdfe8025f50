#!/usr/bin/env bash
# A root file system with the newer libraries (Debian sid, the gRPC family from experimental), to build and test in.
#
#   newroot.sh path              prints its path; makes it first when it is absent (one to two minutes, 0.8 GB)
#   newroot.sh run DIR COMMAND   runs COMMAND in it as root: this repository read-only at /src, DIR at /build, a /tmp of its own
#   newroot.sh packages | pin    what is in it, and apt's preferences that make it so (the Dockerfile asks)
#   newroot.sh remake            throws it away and makes it again from what the mirror has now
#
# It lies in ${XDG_CACHE_HOME:-~/.cache}/remora, keyed by the packages it has, and is shared by all worktrees. The mirror is the
# machine's own, read from its apt sources; NEWROOT_URI names another. Needs root (chroot, mounts) and mmdebstrap.
# Mounts are made in a mount namespace that ends with the command; the root itself is not written to.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/remora

packages="cmake ninja-build pkg-config gcc libc6-dev binutils python3 protobuf-compiler protobuf-c-compiler libprotobuf-dev
libprotobuf-c-dev libgrpc-dev zlib1g-dev libcurl4-openssl-dev libssl-dev libuv1-dev libyaml-dev libllhttp-dev libcmocka-dev
ca-certificates tzdata openssl"

fail() { echo "newroot: $1" >&2; exit 1; }

mirror() { # the URI of the distribution itself among the machine's sources, security and third parties left out
    apt-get indextargets --format '$(REPO_URI) $(ORIGIN)/$(LABEL)/$(COMPONENT)' 'Created-By: Packages' |
        awk '$2 == "Debian/Debian/main" { print $1; exit }'
}

# All of the family at once: apt would otherwise take some of its libraries from sid, which do not fit.
pin='Package: src:grpc src:abseil src:protobuf libgrpc* libabsl* libgpr* libre2* libprotobuf* libprotoc* protobuf-compiler* libupb* libutf8* upb*
Pin: release a=experimental
Pin-Priority: 900'
root=$cache/newroot-$(printf '%s\n' $packages "$pin" | sha256sum | cut -c1-12)

make_root() {
    local part=$root.part uri=${NEWROOT_URI:-$(mirror)}
    [ -n "$uri" ] || fail "no Debian mirror in the machine's apt sources (run apt-get update, or set NEWROOT_URI)"
    rm -rf --one-file-system "$part"
    # The release files of sid and experimental run out after a week; a mirror may be older.
    # The hook's $1 is mmdebstrap's, not ours.
    # shellcheck disable=SC2016
    pin=$pin mmdebstrap --variant=minbase --quiet --aptopt='Acquire::Check-Valid-Until "false"' \
        --aptopt='APT::Install-Recommends "false"' \
        --setup-hook='mkdir -p "$1/etc/apt/preferences.d" "$1/src" "$1/build" "$1/shared"' \
        --setup-hook='printf "%s\n" "$pin" >"$1/etc/apt/preferences.d/grpc.pref"' \
        --include="$(echo $packages)" \
        sid "$part" "deb $uri sid main" "deb $uri experimental main" >"$root.log" 2>&1 ||
        { tail -n 20 "$root.log" >&2; fail "mmdebstrap failed"; }
    mv "$part" "$root"
    rm -f "$root.log"
}

need_root() {
    [ "$(id -u)" = 0 ] || fail "needs root (chroot and mounts)"
    if [ -d "$root" ]; then return; fi
    command -v mmdebstrap >/dev/null || fail "needs mmdebstrap: tools/packages.sh image"
    mkdir -p "$cache"
    exec 9>"$root.lock"
    flock 9
    [ -d "$root" ] || make_root
    exec 9>&-
}

run() {
    mkdir -p "$1"
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child bash -eu -c '
        root=$1 source=$2 build=$3
        shift 3
        mount --bind "$root" "$root"
        cd /
        mount --bind "$source" "$root/src"
        mount -o remount,bind,ro "$root/src"
        if [ -d "$source/../shared" ]; then
            mount --bind "$source/../shared" "$root/shared"
            mount -o remount,bind,ro "$root/shared"
        fi
        mount --bind "$build" "$root/build"
        mount --rbind /dev "$root/dev"
        mount -t proc proc "$root/proc"
        mount -t tmpfs tmpfs "$root/tmp"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 "$@"
    ' newroot "$root" "$source" "$(cd "$1" && pwd)" "${@:2}"
}

case ${1:-} in
packages)
    echo $packages
    ;;
pin)
    echo "$pin"
    ;;
path)
    need_root
    echo "$root"
    ;;
run)
    [ $# -ge 3 ] || fail "usage: newroot.sh run DIR COMMAND..."
    need_root
    run "${@:2}"
    ;;
remake)
    [ "$(id -u)" = 0 ] || fail "needs root"
    rm -rf --one-file-system "$root"
    need_root
    echo "$root"
    ;;
*)
    echo "usage: newroot.sh path | run DIR COMMAND... | packages | pin | remake" >&2
    exit 2
    ;;
esac
