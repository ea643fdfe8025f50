#!/usr/bin/env bash
# make image: builds the program and assembles its image, without a container engine and without a base image.
#
#   IMAGE_ROOT=new    (default) in the root of tools/newroot.sh: gRPC core 1.83; needs root
#   IMAGE_ROOT=host   from this machine's own packages: any user, but an old core where the machine has one
#   IMAGE_NAME        default localhost/remora; the tag is the version
#   IMAGE_OUT         folder of the results, default build-image
#   SOURCE_DATE_EPOCH default: the time of the last commit; IMAGE_REVISION: the commit
set -eu
cd "$(dirname "$0")/../.."
source=$PWD
out=${IMAGE_OUT:-build-image}
kind=${IMAGE_ROOT:-new}
version=$(sed -n 's/^project(remora VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
ask_git() { # a checkout of another user's, as containers of a CI have it, is this one all the same
    git -c safe.directory="$source" "$@" 2>/dev/null
}
revision=${IMAGE_REVISION:-$(ask_git describe --always --abbrev=40 --match= --dirty || echo unknown)}
epoch=${SOURCE_DATE_EPOCH:-$(ask_git log -1 --format=%ct || echo 0)}
if [ "$revision" = unknown ] || [ "$epoch" = 0 ]; then
    echo "image: git does not say what this is: revision $revision, time $epoch, and other bytes than the commit's" >&2
fi
mkdir -p "$out"

inside() { # inside COMMAND...: where the packages are
    case $kind in
    new) tools/newroot.sh run "$out" "$@" ;;
    host) (cd "$out" && "$@") ;;
    *) echo "image: IMAGE_ROOT is new or host, not '$kind'" >&2; exit 2 ;;
    esac
}
case $kind in
new) at=/src to=/build ;; # in the root every checkout lies at the same place: the same bytes from all of them
*) at=$source to=$(cd "$out" && pwd) ;;
esac

log=$out/build.log
build="$to/$kind"
{
    inside cmake -S "$at" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DREMORA_TESTS=OFF &&
        inside ninja -C "$build" -j "${JOBS:-$(nproc)}" remora &&
        inside strip --strip-all -o "$build/remora.stripped" "$build/remora"
} >"$log" 2>&1 || { tail -n 60 "$log" >&2; echo "image: the program does not build" >&2; exit 1; }
inside python3 -B "$at/tools/image/image.py" --program "$build/remora.stripped" --source "$at" --version "$version" \
    --revision "$revision" --epoch "$epoch" --name "${IMAGE_NAME:-localhost/remora}" --out "$to"
echo "written: $out/remora-$version-*.oci.tar, .spdx.json, .packages.txt"
