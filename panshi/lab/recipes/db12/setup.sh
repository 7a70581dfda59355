#!/bin/sh
# Called by mmdebstrap with the root of a new Debian 12 image: a database server with a business that goes on.
set -eu
root=$1
here=$(dirname "$0")

cp -dR --no-preserve=ownership "$here/root/." "$root/"
chroot "$root" systemctl enable mariadb.service panshi-shop.service
