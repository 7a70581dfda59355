#!/bin/sh
# Breaks what is good out of the box: remote management, permissions, privileges, accounts.
# Run as root on a throw-away host only.
set -eu

# Clear-text services that systemd holds for whoever knocks.
for entry in "telnet ListenStream=23" "tftp ListenDatagram=69" "vnc ListenStream=5901"; do
    name=${entry%% *}
    printf '[Socket]\n%s\n[Install]\nWantedBy=sockets.target\n' "${entry#* }" > "/etc/systemd/system/$name.socket"
    printf '[Service]\nExecStart=/bin/true\n' > "/etc/systemd/system/$name.service"
done
systemctl daemon-reload
systemctl enable --now telnet.socket tftp.socket vnc.socket

# Weak algorithms, root welcome, no SSH after the next boot.
install -d -m 0755 /etc/ssh/sshd_config.d
cat > /etc/ssh/sshd_config.d/00-access.conf <<'EOF'
PermitRootLogin yes
Ciphers +aes128-cbc,3des-cbc
MACs +hmac-md5
KexAlgorithms +diffie-hellman-group1-sha1
EOF
if ! grep -qi '^include' /etc/ssh/sshd_config; then
    sed -i '1r /etc/ssh/sshd_config.d/00-access.conf' /etc/ssh/sshd_config
fi
systemctl reload ssh.service 2> /dev/null || systemctl reload sshd.service
systemctl disable ssh.service 2> /dev/null || systemctl disable sshd.service

# Modes and defaults.
chmod 0666 /etc/group
chmod 0644 /etc/shadow
printf 'umask 002\n' > /etc/profile.d/zz-umask.sh
# shellcheck disable=SC2016 # the login shell is to expand it
printf 'PATH=$PATH:.:/opt/shared\n' > /etc/profile.d/zz-path.sh
install -d -m 0777 /opt/shared
printf 'x\n' > /opt/anyone.txt
chmod 0666 /opt/anyone.txt
printf 'x\n' > /etc/anyone.conf
chmod 0664 /etc/anyone.conf
cp "$(command -v id)" /usr/local/bin/id-root
chmod 4755 /usr/local/bin/id-root
printf 'x\n' > /etc/cron.deny
useradd -D -f -1

# People and defaults who can do too much.
useradd -m -s /bin/bash open-home
chmod 0777 /home/open-home
usermod -s /bin/bash games
cat > /etc/sudoers.d/20-too-much <<'EOF'
User_Alias OPERATORS = open-home
OPERATORS ALL = (ALL) NOPASSWD: ALL
Defaults !use_pty, timestamp_timeout=-1
EOF
chmod 0440 /etc/sudoers.d/20-too-much

# Anonymous doors and a data base as root.
printf 'listen=YES\nanonymous_enable=YES\n' > /etc/vsftpd.conf
cp "$(command -v sleep)" /usr/local/bin/redis-server
cat > /etc/systemd/system/access-service.service <<'EOF'
[Service]
ExecStart=/usr/local/bin/redis-server infinity
EOF
systemctl daemon-reload
systemctl restart access-service
