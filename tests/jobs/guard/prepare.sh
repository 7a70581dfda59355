# shellcheck shell=sh
# Runs on a copy of a lab host: what change.yml changes, two more operators, and the places where a run can be held.
set -eu
cat >/usr/local/sbin/panshi-hold <<'HOLD'
#!/bin/sh
# Says that the run has come to a place, and stays there as long as the test wants. $PPID is who waits.
[ -e "/run/hold/$1" ] || exit 0
echo "$PPID" >"/run/hold/.at"
mv "/run/hold/.at" "/run/hold/at-$1"
while [ -e "/run/hold/$1" ]; do sleep 0.1; done
HOLD
chmod 755 /usr/local/sbin/panshi-hold
for user in rescue probea probeb; do
  id $user >/dev/null 2>&1 || useradd -m -s /bin/bash $user
  mkdir -p /home/$user/.ssh
  cp /home/ops/.ssh/authorized_keys /home/$user/.ssh/
  chown -R $user: /home/$user/.ssh
  chmod 700 /home/$user/.ssh
done
echo 'rescue ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/rescue
chmod 440 /etc/sudoers.d/rescue
# sshd runs ~/.ssh/rc before every command of a session.
echo '/usr/local/sbin/panshi-hold probe1' >/home/probea/.ssh/rc
echo '/usr/local/sbin/panshi-hold probe2; [ ! -e /run/hold/last ] || touch /run/hold/disarm' >/home/probeb/.ssh/rc
echo '/usr/local/sbin/panshi-hold disarm' >/home/ops/.ssh/rc
printf 'original\n' >/etc/panshi-test.command
printf 'original\n' >/etc/panshi-test.mode
chmod 644 /etc/panshi-test.*
[ -e /etc/issue.net ] || echo original >/etc/issue.net
cat >/etc/systemd/system/panshi-test.service <<'UNIT'
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now panshi-test.service
systemctl restart sshd.service
