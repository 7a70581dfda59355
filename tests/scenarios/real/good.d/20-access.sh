#!/bin/sh
# Sets a lab host to what the access checks accept: remote management, permissions, privileges, accounts.
# Run as root on a throw-away host; Debian and rpm layouts are told apart by what is there.
set -eu

# Remote management: encrypted, root stays out, listed sources only (the lab's own network stays among them, or the
# host could not be recorded any more). sshd takes the first value, so an old main file without Include gets it on top.
install -d -m 0755 /etc/ssh/sshd_config.d
cat > /etc/ssh/sshd_config.d/00-access.conf <<'EOF'
PermitRootLogin no
Ciphers chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes256-ctr
MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com
KexAlgorithms curve25519-sha256,diffie-hellman-group16-sha512
AllowUsers *@192.0.2.10 *@198.51.100.0/24
EOF
if ! grep -qi '^include' /etc/ssh/sshd_config; then
    sed -i '1r /etc/ssh/sshd_config.d/00-access.conf' /etc/ssh/sshd_config
    rm /etc/ssh/sshd_config.d/00-access.conf
fi
chmod 0600 /etc/ssh/sshd_config
find /etc/ssh/sshd_config.d -type f -exec chmod 0600 {} +

/usr/sbin/sshd -t
systemctl reload ssh.service 2> /dev/null || systemctl reload sshd.service

# Files and defaults.
printf 'umask 027\n' > /etc/profile.d/zz-umask.sh
chmod 0644 /etc/profile.d/zz-umask.sh
sed -i 's/^UMASK.*/UMASK 027/' /etc/login.defs
useradd -D -f 30
chmod 0700 /root
for home in /home/*; do [ ! -d "$home" ] || chmod 0750 "$home"; done
[ ! -e /etc/crontab ] || chmod 0600 /etc/crontab
for dir in /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly; do
    [ ! -d "$dir" ] || chmod 0700 "$dir"
done
rm -f /etc/cron.deny /etc/at.deny
printf 'root\n' > /etc/cron.allow
chmod 0640 /etc/cron.allow
if getent group crontab > /dev/null; then chgrp crontab /etc/cron.allow; fi
if [ -e /etc/shadow- ] && ! getent group shadow > /dev/null; then chmod 0600 /etc/shadow /etc/shadow-; fi

# Default accounts: a shell that ends at once, no password.
for name in sync games lp news uucp daemon bin sys man proxy www-data backup list irc gnats nobody; do
    if getent passwd "$name" > /dev/null; then usermod -L -s "$(command -v nologin)" "$name"; fi
done

# Three administrators, su for the wheel group, sudo with a terminal of its own.
for role in sysadm secadm auditadm; do
    getent group "$role" > /dev/null || groupadd "$role"
    getent passwd "$role-1" > /dev/null || useradd -m -g "$role" -s /bin/bash "$role-1"
    chmod 0750 "/home/$role-1"
done
cat > /etc/sudoers.d/20-roles <<'EOF'
Cmnd_Alias SYS = /usr/bin/systemctl restart nginx, /usr/bin/apt-get update
Cmnd_Alias SEC = /usr/sbin/nft list ruleset, /usr/bin/chage
Cmnd_Alias AUD = /usr/sbin/ausearch, /usr/sbin/aureport
%sysadm ALL = (root) SYS
%secadm ALL = (root) SEC
%auditadm ALL = (root) AUD
Defaults use_pty, timestamp_timeout=5
EOF
chmod 0440 /etc/sudoers.d/20-roles
getent group wheel > /dev/null || groupadd -r wheel
if ! grep -q '^auth.*pam_wheel' /etc/pam.d/su; then
    sed -i '0,/^auth.*pam_rootok.so/s//&\nauth required pam_wheel.so use_uid group=wheel/' /etc/pam.d/su
fi

# A data base that has given up root.
cp "$(command -v sleep)" /usr/local/bin/redis-server
cat > /etc/systemd/system/access-service.service <<'EOF'
[Service]
User=nobody
ExecStart=/usr/local/bin/redis-server infinity
EOF
systemctl daemon-reload
systemctl restart access-service

# Mandatory access control needs a kernel of one's own: a virtual machine loads Debian's AppArmor profiles.
if [ "$(systemd-detect-virt --container)" = none ] && [ -d /sys/module/apparmor ]; then
    command -v apparmor_parser > /dev/null || apt-get -q -y install apparmor
    systemctl enable apparmor.service
    apparmor_parser --replace /etc/apparmor.d/lsb_release
fi
