#!/bin/sh
# Break on a lab host what clauses 8.1.4.1 a) and b) find good out of the box. Never run it on anything but a lab host.
set -eu


# accounts
useradd -m -s /bin/bash nopass
passwd -q -d nopass 2>/dev/null || passwd -d nopass
useradd -o -u 0 -g 0 -M -s /bin/bash toor
useradd -o -u "$(id -u nopass)" -g "$(id -g nopass)" -M -s /bin/bash twin
printf 'doubled:x:%s:\n' "$(id -g nopass)" >>/etc/group
useradd -m -s /bin/bash oldhash
printf 'oldhash:Aa1-%s\n' "$(head -c 24 /dev/urandom | base64 | tr -d '=')" | chpasswd -c MD5
printf 'root:Aa1-%s\n' "$(head -c 24 /dev/urandom | base64 | tr -d '=')" | chpasswd
sed -i 's/^PASS_WARN_AGE.*/PASS_WARN_AGE 0/' /etc/login.defs

# hash of new passwords, delay after a wrong one
for file in /etc/pam.d/common-password /etc/pam.d/system-auth /etc/pam.d/password-auth; do
    [ -f "$file" ] && sed -i '/^password.*pam_unix.so/s/\(yescrypt\|sha512\)/md5/' "$(readlink -f "$file")"
done
for file in /etc/pam.d/common-auth /etc/pam.d/system-auth /etc/pam.d/password-auth; do
    [ -f "$file" ] && sed -i '/^auth.*pam_unix.so/s/$/ nodelay/; /pam_faildelay/d; /pam_faillock/d' "$(readlink -f "$file")"
done
sed -i '/pam_faildelay/d' /etc/pam.d/login

# trusted hosts, automatic login, rescue shell without a password
printf 'trusted.example root\n' >/root/.rhosts
mkdir -p /etc/systemd/system/getty@tty1.service.d /etc/systemd/system/rescue.service.d
printf '[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root %%I linux\n' \
    >/etc/systemd/system/getty@tty1.service.d/autologin.conf
printf '[Service]\nExecStart=\nExecStart=-/bin/bash\n' >/etc/systemd/system/rescue.service.d/shell.conf
systemctl daemon-reload

# SSH server
printf '%s\n' 'PermitEmptyPasswords yes' 'LoginGraceTime 0' 'MaxAuthTries 10' 'IgnoreRhosts no' >/root/identity.conf
if grep -q '^Include' /etc/ssh/sshd_config; then file=/etc/ssh/sshd_config.d/10-identity.conf; else file=/etc/ssh/sshd_config; fi
[ -f "$file" ] && cat "$file" >>/root/identity.conf
mv /root/identity.conf "$file"

# a desktop without an idle lock
if command -v apt-get >/dev/null && [ ! -e /etc/pam.d/system-auth ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends lightdm >/dev/null
fi
