#!/bin/sh
# The first process of the guest: gives a command what it needs of a system, keeps
# its output and exit status, and switches the guest off.
#
# The kernel's command line names the folder $job; guest.py has put in it the files
# "settings" (python, modules, names, ...) and "command". The guest sees the machine's
# files (hostfs), with the rights of the user who started it.
. "$job/settings"
export PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t devpts devpts /dev/pts
ln -s /proc/self/fd /dev/fd
ip link set lo up

# Who started the guest ends it in time, unless that was killed.
(sleep "$deadline" && echo o >/proc/sysrq-trigger) &

{
    # shellcheck disable=SC2086 # names are words
    "$python" "$loader" "$modules" $names &&
        setsid sh "$job/command"
    echo $? >"$job/status"
} >"$job/output" 2>&1 </dev/null

sync
echo o >/proc/sysrq-trigger
exec sleep 60 # the end of this process would be a panic
