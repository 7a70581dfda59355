#!/bin/sh
# Called by mmdebstrap with the root of a new image. Adds the account "ops" and nothing else; removes what must be
# made per host or was only needed to build.
set -eu
root=$1

chroot "$root" useradd --create-home --uid 1000 --shell /bin/bash --comment "operations" ops
install -d -m 0700 -o 1000 -g 1000 "$root/home/ops/.ssh"
printf 'ops ALL=(ALL:ALL) NOPASSWD: ALL\n' >"$root/etc/sudoers.d/ops"
chmod 0440 "$root/etc/sudoers.d/ops"

rm -f "$root"/etc/ssh/ssh_host_*
rm -f "$root"/etc/apt/apt.conf.d/*mmdebstrap "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
