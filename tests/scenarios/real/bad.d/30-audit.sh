#!/bin/sh
# Break what clauses 8.1.4.3 a) to d) and 8.1.4.7 a) ask for, on a Debian host:
# rules wait on disk only, logs are thinned out, undated, open, short-lived and shipped in the clear.
set -eu

export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends auditd rsyslog chrony logrotate cron apparmor

cat >/etc/audit/rules.d/50-waiting.rules <<'CONF'
-w /etc/passwd -p wa -k identity
-w /etc/shadow -p wa -k identity
CONF
sed -i -e 's/^max_log_file *=.*/max_log_file = 8/' -e 's/^num_logs *=.*/num_logs = 5/' /etc/audit/auditd.conf
for service in auditd rsyslog; do
    mkdir -p "/etc/systemd/system/$service.service.d"
    printf '[Service]\nRestart=no\n' >"/etc/systemd/system/$service.service.d/50-bad.conf"
done
printf '[Unit]\nRefuseManualStop=no\n' >/etc/systemd/system/auditd.service.d/60-bad.conf

cat >/etc/rsyslog.conf <<'CONF'
module(load="imuxsock")
$FileCreateMode 0644
$Umask 0022
template(name="bare" type="string" string="%msg%\n")
$ActionFileDefaultTemplate bare
*.*;auth,authpriv,cron.none	-/var/log/syslog
mail.info	@192.0.2.40
CONF
chmod 0644 /var/log/syslog
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nForwardToSyslog=no\n' >/etc/systemd/journald.conf.d/50-bad.conf
sed -i -e 's/rotate .*/rotate 4/' /etc/logrotate.d/rsyslog

echo 'Defaults !syslog' >/etc/sudoers.d/50-bad-log
chmod 0440 /etc/sudoers.d/50-bad-log
sed -i '1i LogLevel QUIET' /etc/ssh/sshd_config
systemctl disable -q --now chrony systemd-timesyncd 2>/dev/null || true
systemctl daemon-reload
systemctl restart rsyslog systemd-journald
# A journald that starts with Audit=no switches the kernel's auditing off; here the missing rules are the finding.
auditctl -e 1 >/dev/null
