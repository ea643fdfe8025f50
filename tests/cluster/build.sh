#!/usr/bin/env bash
# Builds the tools of the cluster tests from Go modules into CACHE/bin and keeps them between runs.
#
# usage: build.sh [NAME...]      (default: every tool of these tests, in an order that lets later ones reuse what earlier ones
#                                 compiled; promtool is for tests/chart)
#        build.sh --complete     is everything there? Says nothing and builds nothing
#        build.sh --able         can this machine build it? Says why not in one line
#
# A tool is built once for a given content of its module folder (go.mod, go.sum, *.go) and link flags; CACHE/bin/NAME.key
# holds the hash that its binary was built from. What Go compiles on the way goes to CACHE/scratch (up to 8 GB), which is
# removed when the last tool is there: only the binaries (0.7 GB) are worth caching. `crds` is no binary but a folder,
# CACHE/bin/crds: schemas of foreign kinds, taken out of the modules that modules/crds.txt names.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/remora/cluster
kube_version=$(sed -n 's|^\(require\)\{0,1\}[[:space:]]*k8s.io/kubernetes v\([0-9.]*\).*|\2|p' "$here/modules/kube/go.mod")
all="helm3 helm4 etcd kube-apiserver kubectl kube-controller-manager kube-scheduler kubelet kube-proxy coredns kubeconform podapp crds"

# An unstamped Kubernetes calls itself v0.0.0-master+$Format, which fails the kubeVersion check of a chart.
stamp() {
    local minor=${kube_version#*.} package
    for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        printf ' -X %s.gitVersion=v%s' "$package" "$kube_version"
        printf ' -X %s.gitMajor=%s -X %s.gitMinor=%s' "$package" "${kube_version%%.*}" "$package" "${minor%%.*}"
        printf ' -X %s.gitTreeState=clean -X %s.gitCommit=unknown' "$package" "$package"
        printf ' -X %s.buildDate=1970-01-01T00:00:00Z' "$package"
    done
}

# The module folder, the package and the link flags of a tool, one a line.
recipe() {
    case $1 in
    helm3) printf '%s\n' helm3 helm.sh/helm/v3/cmd/helm "" ;;
    helm4) printf '%s\n' helm4 helm.sh/helm/v4/cmd/helm "" ;;
    promtool) printf '%s\n' promtool github.com/prometheus/prometheus/cmd/promtool "" ;;
    kubeconform) printf '%s\n' kubeconform github.com/yannh/kubeconform/cmd/kubeconform "" ;;
    etcd) printf '%s\n' etcd go.etcd.io/etcd/server/v3 "" ;;
    podapp) printf '%s\n' ../podapp . "" ;;
    coredns) printf '%s\n' coredns . "" ;;
    kube*) printf '%s\n' kube "k8s.io/kubernetes/cmd/$1" "$(stamp)" ;;
    crds) printf '%s\n' crds.txt "" "" ;;
    *) echo "build.sh: unknown tool $1" >&2; return 1 ;;
    esac
}

key_of() { # MODULE LINKFLAGS
    local files
    if [ -d "$here/modules/$1" ]; then
        files=$(ls "$here/modules/$1"/go.mod "$here/modules/$1"/go.sum "$here/modules/$1"/*.go 2>/dev/null)
    else
        files=$here/modules/$1
    fi
    { cat $files; echo "$2"; } | sha256sum | cut -d ' ' -f 1
}

is_built() { # NAME KEY
    [ -e "$cache/bin/$1" ] && [ "$(cat "$cache/bin/$1.key" 2>/dev/null)" = "$2" ]
}

compile() { # NAME MODULE PACKAGE LINKFLAGS
    # The tag is promtool's, and no other tool has it: without every cloud's service discovery.
    (cd "$here/modules/$2" &&
        nice -n 5 go build -mod=readonly -trimpath -buildvcs=false -tags remove_all_sd -ldflags "-s -w $4" -o "$cache/bin/$1" "$3")
}

# Downloads each module (the Go checksum database and the sum in the list both have to agree) and copies one file of it.
copy_crds() {
    local module version sum path about folder
    rm -rf "$cache/bin/crds" && mkdir -p "$cache/bin/crds" || return 1
    while read -r module version sum path; do
        case $module in '#'*) continue ;; esac
        about=$(cd "$cache" && go mod download -json "$module@$version") || { echo "$about" >&2; return 1; }
        case $about in *"\"Sum\": \"$sum\""*) ;; *) echo "build.sh: $module has another checksum" >&2; return 1 ;; esac
        folder=$(printf '%s\n' "$about" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
        cp "$folder/$path" "$cache/bin/crds/" || return 1
    done <"$here/modules/crds.txt"
}

# Go of the version that every module can be built with.
able() {
    local wanted has
    command -v go >/dev/null || { echo "no Go to build Kubernetes with, and none in $cache/bin"; return 1; }
    wanted=$(sed -n 's/^go \([0-9.]*\)$/\1/p' "$here"/modules/*/go.mod "$here/podapp/go.mod" | sort -V | tail -n 1)
    has=$(GOTOOLCHAIN=local go env GOVERSION)
    [ "$(printf '%s\n' "$wanted" "${has#go}" | sort -V | head -n 1)" = "$wanted" ] && return 0
    echo "Go ${has#go} is older than $wanted, which Kubernetes asks for"
    return 1
}

build() { # NAME
    local name=$1 module package flags key begun=$SECONDS
    { read -r module && read -r package && read -r flags; } < <(recipe "$name") || return 1
    key=$(key_of "$module" "$flags")
    is_built "$name" "$key" && return 0
    [ "$only_ask" = no ] || return 1
    why=$(able) || { echo "build.sh: $why" >&2; return 1; }
    echo "building $name (once: kept in the cache)"
    rm -f "$cache/bin/$name.key"
    if [ "$name" = crds ]; then copy_crds; else compile "$name" "$module" "$package" "$flags"; fi || return 1
    echo "$key" >"$cache/bin/$name.key"
    echo "  $((SECONDS - begun)) s"
}

main() {
    local name why
    only_ask=no
    if [ "${1:-}" = --able ]; then able; exit; fi
    if [ "${1:-}" = --complete ]; then only_ask=yes; shift; fi
    [ $# -gt 0 ] || set -- $all
    mkdir -p "$cache/bin" || exit 1
    if [ "$only_ask" = no ]; then
        exec 9>"$cache/lock"
        flock 9 # two runs on one machine build once
    fi
    export CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local GOCACHE=$cache/scratch
    for name; do
        build "$name" && continue
        [ "$only_ask" = yes ] || echo "build.sh: $name was not built" >&2
        exit 1
    done
    [ "$only_ask" = no ] || exit 0
    for name in $all; do
        [ -e "$cache/bin/$name.key" ] || exit 0 # more to come: the next call reuses what is compiled
    done
    rm -rf "$cache/scratch"
}

main "$@"
exit
