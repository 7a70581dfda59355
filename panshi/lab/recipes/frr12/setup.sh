#!/bin/sh
# Called by mmdebstrap with the root of a new Debian 12 image: a router whose network account has FRR's own command line
# as its shell; panshi/lab/seed.py knows its number.
set -eu
root=$1
here=$(dirname "$0")

chroot "$root" useradd --create-home --uid 1002 --shell /usr/bin/vtysh --groups frr,frrvty --comment network netops
install -d -m 0700 -o 1002 -g 1002 "$root/home/netops/.ssh"
printf '/usr/bin/vtysh\n' >>"$root/etc/shells"
install -m 0640 "$here/frr.conf" "$root/etc/frr/frr.conf"
chroot "$root" chown frr:frr /etc/frr/frr.conf
# The account's shell runs no programs: files are read by the server itself.
sed -i 's|^Subsystem.*sftp.*|Subsystem sftp internal-sftp|' "$root/etc/ssh/sshd_config"
chroot "$root" systemctl enable frr.service
