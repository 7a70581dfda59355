#!/bin/sh
# Reads only. Prints "<type> <mode> <path>" of the files whose permissions may be too wide, on local disks, and
# "cron <account>" of who has a crontab or is allowed one, "home <account> <path>" of who can log in. Paths with a line break cannot be said and are left out.
set -f
roots=$(findmnt -rno TARGET -t ext2,ext3,ext4,xfs,btrfs,overlay,f2fs,jfs,reiserfs,zfs | grep -vx / | sort -u)
# shellcheck disable=SC2086 # one word per mount point: findmnt -r escapes spaces
find / $roots -xdev \
    \( -path /proc -o -path /sys -o -path '/var/lib/docker' -o -path '/var/lib/containers' -o -path '/var/lib/containerd' \
    -o -path '/var/lib/machines' \) -prune -o ! -path '*
*' \( \
    -type f -perm /6002 -o \
    -type f -perm /022 -regex '/etc/.*\|/usr/s?bin/.*\|/usr/local/s?bin/.*' -o \
    -type d -perm -0002 ! -perm -1000 \
    \) -printf '%y %m %p\n' 2>/dev/null
find /var/spool/cron /var/spool/cron/crontabs -maxdepth 1 -type f -printf 'cron %f\n' 2>/dev/null
sed -n 's/^\([a-z_][a-z0-9_-]*\)[[:space:]]*$/cron \1/p' /etc/cron.allow 2>/dev/null
sed -n 's/^\([a-z_][a-z0-9_-]*\)[[:space:]]*$/at \1/p' /etc/at.allow 2>/dev/null
# Packages put the homes of system accounts into shared directories such as /usr/games.
awk -F: '($3 == 0 || ($3 >= 1000 && $3 < 65534)) && $7 !~ /nologin|false/ && $6 ~ /^\/./ { print "home", $1, $6 }' /etc/passwd
exit 0
