#!/bin/sh
# Set a host the way clauses 8.1.4.3 a) to d) and the log part of 8.1.4.7 a) ask for.
# Audit rules need a kernel of one's own: on a container that part is left out. Locking (-e 2) and audit=1 hold after a reboot.
set -eu

NTP_SERVER="${NTP_SERVER:-192.0.2.30}"
LOG_SERVER="${LOG_SERVER:-192.0.2.40}"

packages() {
    if command -v apt-get >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update
        apt-get -qq install -y --no-install-recommends auditd rsyslog rsyslog-gnutls chrony logrotate cron openssl apparmor
    else
        dnf -q -y install audit rsyslog rsyslog-gnutls chrony logrotate cronie openssl
    fi
}

audit_rules() {
    file=/etc/audit/rules.d/50-mlps.rules
    arches=b64
    [ "$(uname -m)" = x86_64 ] && arches='b64 b32'
    {
        for path in /etc/passwd /etc/shadow /etc/group /etc/gshadow /etc/security/opasswd /etc/sudoers /etc/sudoers.d \
            /etc/ssh/sshd_config /etc/pam.d /etc/login.defs /etc/security /etc/audit /etc/rsyslog.conf /etc/sysctl.conf \
            /etc/crontab /etc/cron.d /var/spool/cron /var/log/lastlog /var/log/wtmp /var/log/btmp /var/run/faillock \
            /etc/localtime /etc/hosts /etc/issue /etc/issue.net /etc/network /etc/NetworkManager /etc/netplan \
            /etc/systemd/network /etc/sysconfig/network-scripts /etc/selinux /etc/apparmor /etc/apparmor.d; do
            [ -e "$path" ] && echo "-w $path -p wa -k mlps-files"
        done
        for arch in $arches; do
            login='-F auid>=1000 -F auid!=unset'
            echo "-a always,exit -F arch=$arch -S adjtimex,settimeofday,clock_settime -k mlps-time"
            echo "-a always,exit -F arch=$arch -S sethostname,setdomainname -k mlps-network"
            echo "-a always,exit -F arch=$arch -S chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat $login -k mlps-perm"
            echo "-a always,exit -F arch=$arch -S setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr $login -k mlps-perm"
            for error in EACCES EPERM; do
                echo "-a always,exit -F arch=$arch -S open,openat,creat,truncate,ftruncate -F exit=-$error $login -k mlps-denied"
            done
            echo "-a always,exit -F arch=$arch -S unlink,unlinkat,rename,renameat,renameat2 $login -k mlps-delete"
            echo "-a always,exit -F arch=$arch -S init_module,finit_module,delete_module $login -k mlps-modules"
            echo "-a always,exit -F arch=$arch -S execve $login -k mlps-exec"
        done
    } >"$file"
    chmod 0640 "$file"
    printf -- '-e 2\n' >/etc/audit/rules.d/99-finalize.rules
}

auditd_conf() {
    sed -i -e 's/^max_log_file *=.*/max_log_file = 100/' -e 's/^num_logs *=.*/num_logs = 10/' \
        -e 's/^max_log_file_action *=.*/max_log_file_action = ROTATE/' -e 's/^disk_full_action *=.*/disk_full_action = SUSPEND/' \
        /etc/audit/auditd.conf
    for plugin in /etc/audit/plugins.d/syslog.conf /etc/audisp/plugins.d/syslog.conf; do
        [ -f "$plugin" ] && sed -i -e 's/^active *=.*/active = yes/' -e 's/^args *=.*/args = LOG_INFO LOG_LOCAL6/' "$plugin"
    done
    true
}

restart_policy() {
    for service in auditd rsyslog; do
        mkdir -p "/etc/systemd/system/$service.service.d"
        printf '[Service]\nRestart=on-failure\n' >"/etc/systemd/system/$service.service.d/50-mlps.conf"
    done
    printf '[Unit]\nRefuseManualStop=yes\n' >/etc/systemd/system/auditd.service.d/60-mlps.conf
    systemctl daemon-reload
}

# A certificate authority of its own stands for the organisation's; the receiver must show a certificate of it.
syslog_forwarding() {
    mkdir -p /etc/rsyslog-tls /var/spool/rsyslog
    [ -f /etc/rsyslog-tls/ca.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=lab-ca.example \
        -keyout /etc/rsyslog-tls/ca.key -out /etc/rsyslog-tls/ca.pem 2>/dev/null
    cat >/etc/rsyslog.d/90-mlps.conf <<CONF
global(DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="/etc/rsyslog-tls/ca.pem" workDirectory="/var/spool/rsyslog")
*.info action(type="omfwd" target="$LOG_SERVER" port="6514" protocol="tcp"
              StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="log.example"
              queue.type="LinkedList" queue.filename="mlps_forward" queue.maxDiskSpace="64m" queue.saveOnShutdown="on"
              action.resumeRetryCount="-1")
CONF
    rsyslogd -N1 2>/dev/null
}

log_retention() {
    sed -i -e 's/^\([[:space:]]*\)rotate .*/\1rotate 27/' -e 's/^\([[:space:]]*\)daily/\1weekly/' /etc/logrotate.d/rsyslog
    sed -i -e 's/rotate .*/rotate 7/' /etc/logrotate.d/wtmp /etc/logrotate.d/btmp
    mkdir -p /var/log/journal /etc/systemd/journald.conf.d
    printf '[Journal]\nStorage=persistent\n' >/etc/systemd/journald.conf.d/50-mlps.conf
}

time_source() {
    if [ -d /etc/chrony/sources.d ]; then
        sed -i 's/^pool /#&/' /etc/chrony/chrony.conf
        echo "server $NTP_SERVER iburst" >/etc/chrony/sources.d/mlps.sources
    else
        sed -i 's/^\(pool\|server\) /#&/' /etc/chrony.conf
        echo "server $NTP_SERVER iburst" >>/etc/chrony.conf
    fi
}

records_of_people() {
    cat >/etc/profile.d/50-mlps-history.sh <<'CONF'
HISTSIZE=1000
HISTTIMEFORMAT='%F %T '
CONF
    for file in /etc/bash.bashrc /etc/bashrc; do
        [ -f "$file" ] && ! grep -q 50-mlps-history "$file" && echo '. /etc/profile.d/50-mlps-history.sh' >>"$file"
    done
    echo 'Defaults logfile=/var/log/sudo.log' >/etc/sudoers.d/50-mlps-log
    chmod 0440 /etc/sudoers.d/50-mlps-log
    sed -i -e '/^[#[:space:]]*LogLevel/d' -e '/^[#[:space:]]*SyslogFacility/d' /etc/ssh/sshd_config
    sed -i '1i LogLevel VERBOSE\nSyslogFacility AUTHPRIV' /etc/ssh/sshd_config
    sshd -t
}

packages
audit_rules
auditd_conf
restart_policy
syslog_forwarding
log_retention
time_source
records_of_people
systemctl restart systemd-journald rsyslog
systemctl enable -q rsyslog
if ! systemd-detect-virt -q --container; then
    systemctl disable -q --now systemd-timesyncd 2>/dev/null || true
    systemctl enable -q auditd
    systemctl restart chrony 2>/dev/null || systemctl restart chronyd
fi
