#!/bin/sh
# Called by mmdebstrap with the root of a new Debian 12 image: makes it look and behave, for an audit, like Kylin V10
# SP3. An emulation: the programs remain Debian's. What is not emulated is listed in docs/lab.md.
set -eu
root=$1
here=$(dirname "$0")
emulation=usr/lib/panshi-emulation
repository=$emulation/repository
install -d "$root/$repository" "$root/tmp/stubs"

# Configuration in the layout of an rpm distribution.
rm -rf "$root/etc/pam.d" "$root/etc/bash.bashrc" "$root/etc/logrotate.d/rsyslog"
cp -dR --no-preserve=ownership "$here/root/." "$root/"
chmod 0440 "$root/etc/sudoers"
install -d "$root/usr/libexec/openssh"
ln -s /usr/lib/openssh/sftp-server "$root/usr/libexec/openssh/sftp-server"
ln -s /lib/systemd/system/cron.service "$root/etc/systemd/system/crond.service"
chroot "$root" groupadd --system wheel
for home in root home/ops home/rescue; do
    cp "$here/root/etc/skel/.bashrc" "$here/root/etc/skel/.bash_profile" "$root/$home/"
    rm -f "$root/$home/.profile"
done
rm -f "$root/etc/skel/.profile" "$root"/home/*/.bash_logout
for name in ops rescue; do
    chroot "$root" chown -R "$name:$name" "/home/$name"
done

# The rpm database and a repository with advisories, both made of empty packages.
grep -v '^#' "$here/packages.txt" | while read -r name epoch version release state; do
    case $name in
        bash) provides='Provides: /bin/sh' ;;
        kylin-release) provides='Provides: system-release = V10' ;;
        *) provides= ;;
    esac
    cat >"$root/tmp/stubs/$name.spec" <<SPEC
Name: $name
Epoch: $epoch
Version: $version
Release: $release%{?dist}
Summary: Empty stand-in for $name on an emulated host
License: Apache-2.0
$provides
%description
Empty stand-in for $name on an emulated host.
%files
SPEC
    chroot "$root" rpmbuild --quiet -bb --target x86_64 --define "_rpmdir /$repository" \
        --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" "/tmp/stubs/$name.spec"
    [ "$state" = update ] || echo "/$repository/$name-$version-$release.ky10.x86_64.rpm" >>"$root/tmp/stubs/installed"
done
chroot "$root" sh -c 'xargs rpm --install --force-debian --nodeps </tmp/stubs/installed'
"$here/repack.sh" "$root" "$repository"
# Signed, so that the repository works with gpgcheck=1 too; the key is made here and thrown away.
# shellcheck disable=SC2016 # for the shell in the image
chroot "$root" sh -ec '
    export GNUPGHOME=/tmp/stubs/gnupg
    install -d -m 0700 "$GNUPGHOME"
    install -d /etc/pki/rpm-gpg
    gpg --batch --quiet --passphrase "" --quick-generate-key panshi-emulated rsa2048 sign never
    gpg --armor --export panshi-emulated >/etc/pki/rpm-gpg/RPM-GPG-KEY-panshi-emulated
    rpmsign --define "_gpg_name panshi-emulated" --define "__gpg /usr/bin/gpg" --addsign "$1"/*.rpm >/dev/null
    gpgconf --kill all
    rpm --import /etc/pki/rpm-gpg/RPM-GPG-KEY-panshi-emulated
' sh "/$repository"
cp "$here/updateinfo.xml" "$root/tmp/stubs/updateinfo.xml"
chroot "$root" createrepo_c --quiet "/$repository"
chroot "$root" modifyrepo_c /tmp/stubs/updateinfo.xml "/$repository/repodata" >/dev/null
rm -rf "$root/tmp/stubs" "$root/root/rpmbuild"
chroot "$root" dnf --quiet makecache

# Out of sight: what tells an auditor that this is Debian.
for path in var/lib/dpkg var/lib/apt var/cache/apt var/log/apt etc/apt etc/dpkg etc/debian_version \
    etc/cron.daily/apt-compat etc/cron.daily/dpkg etc/logrotate.d/apt etc/logrotate.d/dpkg etc/logrotate.d/alternatives; do
    [ -e "$root/$path" ] || continue
    install -d "$root/$emulation/$(dirname "$path")"
    mv "$root/$path" "$root/$emulation/$path"
done
install -d "$root/$emulation/usr/bin"
mv "$root"/usr/bin/apt* "$root"/usr/bin/dpkg* "$root/$emulation/usr/bin/"
rm -f "$root"/lib/systemd/system/apt-daily* "$root"/lib/systemd/system/dpkg-db-backup* \
    "$root"/etc/systemd/system/timers.target.wants/apt-daily* \
    "$root"/etc/systemd/system/timers.target.wants/dpkg-db-backup*
