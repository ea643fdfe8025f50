#!/usr/bin/env bash
# Pid 1 of the test node: prepares the namespaces that cluster.py made, then is their reaper.
#
# usage: node_init.sh DIR NAME ADDRESS REAPER      writes DIR/ready when components may enter
set -eu
dir=$1 name=$2 address=$3 reaper=$4
hostname "$name"
mount --make-rshared /
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /var/lib/kubelet /var/lib/containerd /etc/cni/net.d
mount --bind "$dir/kubelet" /var/lib/kubelet
mount --bind "$dir/containerd" /var/lib/containerd
mount --bind "$dir/varlog" /var/log
mount --bind "$dir/cni" /etc/cni/net.d
# The kubelet writes these for the whole machine: here it writes to files of its own.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys \
    kernel/keys/root_maxbytes; do
    file=$dir/sys-${setting//\//-}
    cat "/proc/sys/$setting" >"$file"
    mount --bind "$file" "/proc/sys/$setting"
done
ip link set lo up
# Not every kernel has the "dummy" driver: a bridge without ports carries the address of the node.
ip link add node0 type bridge
ip address add "$address/24" dev node0
ip link set node0 up
ip route add default via "$address" dev node0 # kubelet and kube-proxy look for one
sysctl -qw net.ipv4.ip_forward=1
sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || true # absent without the module: then it is not needed
echo ok >"$dir/ready"
exec "$reaper" pause
