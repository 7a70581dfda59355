#!/bin/sh
# Called by mmdebstrap with the root of a new image. Adds the accounts "ops" and "rescue" (the second way in) and nothing
# else; removes what must be made per host or was only needed to build.
set -eu
root=$1

account() { # NAME UID COMMENT; panshi/lab/seed.py knows both numbers
    chroot "$root" useradd --create-home --uid "$2" --shell /bin/bash --comment "$3" "$1"
    install -d -m 0700 -o "$2" -g "$2" "$root/home/$1/.ssh"
    printf '%s ALL=(ALL:ALL) NOPASSWD: ALL\n' "$1" >"$root/etc/sudoers.d/$1"
    chmod 0440 "$root/etc/sudoers.d/$1"
}
account ops 1000 operations
account rescue 1001 "second way in"

rm -f "$root"/etc/ssh/ssh_host_*
rm -f "$root"/etc/apt/apt.conf.d/*mmdebstrap "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
