#!/bin/sh
# Called by mmdebstrap with the root of a new Debian 12 image: a host that custodians keep, with an account of a second
# one beside "rescue"; panshi/lab/seed.py knows its number.
set -eu
root=$1

chroot "$root" useradd --create-home --uid 1002 --shell /bin/bash --comment custodian keeper
install -d -m 0700 -o 1002 -g 1002 "$root/home/keeper/.ssh"
printf 'keeper ALL=(ALL:ALL) NOPASSWD: ALL\n' >"$root/etc/sudoers.d/keeper"
chmod 0440 "$root/etc/sudoers.d/keeper"
