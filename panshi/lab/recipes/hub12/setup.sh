#!/bin/sh
# Called by mmdebstrap with the root of a new Debian 12 image: the host that serves the others time, a log receiver,
# signatures and packages. What depends on the machine (certificates, the mirror's name) comes with the host: hub.py.
set -eu
root=$1
here=$(dirname "$0")

rm -f "$root/etc/nginx/sites-enabled/default" "$root"/etc/chrony/sources.d/* "$root"/etc/chrony/conf.d/*
cp -dR --no-preserve=ownership "$here/root/." "$root/"
install -d "$root/srv/www/clamav" "$root/etc/nginx/panshi-hub.d" "$root/var/cache/nginx"
install -d -m 0700 "$root/etc/panshi-hub"
install -d -m 0750 "$root/var/log/remote"
chroot "$root" systemctl mask clamav-freshclam.service clamav-daemon.service
chroot "$root" systemctl enable chrony.service rsyslog.service nginx.service panshi-signatures.timer
