#!/bin/sh
# Break on a lab host what the checks of clauses 8.1.4.4 to 8.1.4.10 look at and what is good out of the box. Root;
# Debian or rpm; a container or a machine with its own kernel.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

# 8.1.4.4 b: a kernel for the cloud has no driver for USB disks: that of the same version for real machines is put beside it
kernel=$(uname -r)
if [ ! -e /run/.containerenv ] && [ -d "/lib/modules/$kernel" ] && [ ! -d "/lib/modules/$kernel/extra" ]; then
    work=$(mktemp -d)
    cd "$work"
    apt-get -q download "linux-image-$(echo "$kernel" | sed 's/-cloud//')"
    dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards '*/usb-storage.ko*'
    mkdir -p "/lib/modules/$kernel/extra"
    find . -name 'usb-storage.ko*' -exec cp {} "/lib/modules/$kernel/extra/" ';'
    depmod
    cd /
    rm -rf "$work"
fi

if command -v apt-get >/dev/null 2>&1; then
    apt-get -q update
    # the portmapper: a service that is not needed, on a port that must not be open
    apt-get -qy install --no-install-recommends rpcbind lightdm
    systemctl enable --now rpcbind.socket rpcbind.service
    # 8.1.4.10 a: the login screen lists the accounts; 8.1.4.4 a: it comes up by itself
    mkdir -p /etc/lightdm/lightdm.conf.d
    printf '[Seat:*]\ngreeter-hide-users=false\n' >/etc/lightdm/lightdm.conf.d/90-panshi.conf
    systemctl enable lightdm.service 2>/dev/null || true
    # 8.1.4.4 e: a source that is not verified, and no source of security updates
    sed -i -e '/security/d' -e '/-updates/d' /etc/apt/sources.list
    echo "deb [trusted=yes] http://mirror.example/debian bookworm main" >/etc/apt/sources.list.d/panshi.list
fi
systemctl set-default graphical.target

# 8.1.4.4 b: shares for everybody, kernel settings, core dumps
echo "/srv *(rw,no_root_squash)" >/etc/exports
mkdir -p /etc/samba /etc/sysctl.d /etc/security/limits.d /etc/tmpfiles.d
printf '[global]\n  map to guest = bad user\n[public]\n  path = /srv\n  guest ok = yes\n' >/etc/samba/smb.conf
cat >/etc/sysctl.d/90-panshi.conf <<'END'
net.ipv4.ip_forward = 1
net.ipv4.conf.all.accept_redirects = 1
net.ipv4.conf.all.send_redirects = 1
kernel.randomize_va_space = 0
kernel.sysrq = 1
fs.suid_dumpable = 2
END
sysctl --system >/dev/null 2>&1 || true
printf '* hard core unlimited\n' >/etc/security/limits.d/90-panshi-core.conf

# 8.1.4.4 e: unsigned packages are welcome
for file in /etc/yum.conf /etc/dnf/dnf.conf; do
    [ -f "$file" ] && sed -i 's/^gpgcheck=.*/gpgcheck=0/' "$file"
done
for file in /etc/yum.repos.d/*.repo; do
    [ -f "$file" ] && sed -i 's/^gpgcheck=.*/gpgcheck=0/' "$file"
done

# 8.1.4.10 b: temporary files stay for ever
printf 'd /tmp 1777 root root -\nd /var/tmp 1777 root root -\n' >/etc/tmpfiles.d/tmp.conf
systemctl stop systemd-tmpfiles-clean.timer
