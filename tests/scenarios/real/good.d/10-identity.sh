#!/bin/sh
# Set a lab host the way clauses 8.1.4.1 a) and b) ask for. Needs apt-get and its mirrors on Debian.
set -eu

set_value() { # file name value: replace the line of a "name value" file, or add it
    grep -q "^$2[[:space:]]" "$1" && sed -i "s/^$2[[:space:]].*/$2 $3/" "$1" || printf '%s %s\n' "$2" "$3" >>"$1"
}

quality() {
    cat >/etc/security/pwquality.conf <<'CONF'
minlen = 10
minclass = 3
difok = 3
usercheck = 1
dictcheck = 1
enforce_for_root
CONF
}

lockout_conf() {
    cat >/etc/security/faillock.conf <<'CONF'
deny = 5
unlock_time = 600
even_deny_root
root_unlock_time = 300
CONF
}

debian_packages() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends libpam-pwquality cracklib-runtime lightdm >/dev/null
}

debian_pam() {
    cat >/usr/share/pam-configs/panshi-faillock-preauth <<'CONF'
Name: Panshi: refuse locked accounts
Default: yes
Priority: 1024
Auth-Type: Primary
Auth:
	requisite pam_faillock.so preauth
Account-Type: Primary
Account:
	required pam_faillock.so
CONF
    cat >/usr/share/pam-configs/panshi-faillock-authfail <<'CONF'
Name: Panshi: count failed logins
Default: yes
Priority: 0
Auth-Type: Primary
Auth:
	[default=die] pam_faillock.so authfail
CONF
    cat >/usr/share/pam-configs/panshi-pwhistory <<'CONF'
Name: Panshi: refuse old passwords
Default: yes
Priority: 512
Password-Type: Primary
Password:
	requisite pam_pwhistory.so remember=5 use_authtok enforce_for_root
CONF
    DEBIAN_FRONTEND=noninteractive pam-auth-update --package
}

rpm_pam() {
    for file in /etc/pam.d/system-auth /etc/pam.d/password-auth; do
        sed -i '/pam_faillock.so/s/ \(deny\|unlock_time\|root_unlock_time\)=[0-9]*//g; /pam_faillock.so/s/ even_deny_root//g' \
            "$(readlink -f "$file")"
    done
}

timeouts() {
    cat >/etc/profile.d/zz-mlps-tmout.sh <<'CONF'
if ! readonly -p | grep -q ' TMOUT='; then
    TMOUT=600
    readonly TMOUT
    export TMOUT
fi
CONF
    for file in /etc/bash.bashrc /etc/bashrc; do
        [ -f "$file" ] && sed -i '1i . /etc/profile.d/zz-mlps-tmout.sh' "$file"
    done
    if grep -q '^Include' /etc/ssh/sshd_config; then file=/etc/ssh/sshd_config.d/10-identity.conf; else file=/etc/ssh/sshd_config; fi
    printf '%s\n' 'ClientAliveInterval 300' 'ClientAliveCountMax 2' 'MaxAuthTries 4' 'LoginGraceTime 60' >/root/identity.conf
    [ -f "$file" ] && cat "$file" >>/root/identity.conf
    mv /root/identity.conf "$file"
}

desktop() {
    mkdir -p /etc/dconf/db/local.d/locks
    cat >/etc/dconf/db/local.d/00-screen-lock <<'CONF'
[org/gnome/desktop/session]
idle-delay=uint32 300

[org/gnome/desktop/screensaver]
lock-enabled=true
lock-delay=uint32 0
CONF
    cat >/etc/dconf/db/local.d/locks/00-screen-lock <<'CONF'
/org/gnome/desktop/session/idle-delay
/org/gnome/desktop/screensaver/lock-enabled
/org/gnome/desktop/screensaver/lock-delay
CONF
}

password() { # account: a random password that nobody knows, with ageing
    printf '%s:Aa1-%s\n' "$1" "$(head -c 24 /dev/urandom | base64 | tr -d '=')" | chpasswd
    chage -m 1 -M 90 -W 7 "$1"
}

set_value /etc/login.defs PASS_MAX_DAYS 90
set_value /etc/login.defs PASS_MIN_DAYS 1
set_value /etc/login.defs PASS_WARN_AGE 7
if command -v apt-get >/dev/null && [ ! -e /etc/pam.d/system-auth ]; then
    debian_packages
    debian_pam
    desktop
else
    set_value /etc/login.defs PASS_MIN_LEN 10
    rpm_pam
fi
# before the rules: where cracklib's word list cannot be had, they would refuse every password
id operator1 >/dev/null 2>&1 || useradd -m -s /bin/bash operator1
password root
password operator1
quality
lockout_conf
timeouts
