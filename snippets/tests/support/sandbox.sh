#!/bin/sh
# The first process of a sandbox: makes its hosts, says so, and lives until its
# standard input is closed. When it ends, the kernel ends every process inside
# and drops the namespaces; nothing has to be tidied.
#
# usage: sandbox.sh ETC HOST...    (inside the namespaces that sandbox.py unshares)
set -eu
etc=$1
shift

read -r pid _ </proc/self/stat # as the outside sees it: this is still its /proc
mount -t proc proc /proc
mount --bind "$etc/hosts" /etc/hosts
mount --bind "$etc/nsswitch.conf" /etc/nsswitch.conf
mount -t tmpfs tmpfs /run # hides the sockets of name services, too
mkdir /run/netns

for host in "$@"; do
    ip netns add "$host"
    ip -n "$host" link set lo up
done

# Two hosts and more are plugged into one switch, a bridge that is in none of them.
if [ $# -gt 1 ]; then
    ip link add name switch type bridge
    ip link set switch up
    number=0
    for host in "$@"; do
        number=$((number + 1))
        ip link add "$host" type veth peer name eth0 address "02:00:00:00:00:0$number" netns "$host"
        # Without detection of duplicates the IPv6 addresses are usable at once.
        ip netns exec "$host" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad'
        ip -n "$host" address add "192.0.2.$number/24" broadcast + dev eth0
        ip -n "$host" address add "2001:db8::$number/64" dev eth0 nodad
        # The switch looks at once for a carrier that is there already; one that
        # comes later it may notice up to a second later.
        ip -n "$host" link set eth0 up
        ip link set "$host" master switch up
    done
fi

echo "ready $pid"
exec cat >/dev/null
