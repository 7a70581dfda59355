#!/bin/sh
# Called by setup.sh with the root of the image, before apt and dpkg go out of sight: puts the files of Debian packages
# into rpms of the local repository, so that `dnf install` brings programs that really run. See programs.txt.
set -eu
root=$1
repository=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$root/tmp/repack
install -d "$work"

packages=$(grep -v '^#' "$here/programs.txt" | cut -d ' ' -f 2-)
apt_get() { APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --quiet --quiet --no-install-recommends "$@"; }
# nft comes with every Debian; on this host only dnf brings it.
chroot "$root" dpkg --purge nftables
# shellcheck disable=SC2086 # a list of words
apt_get --yes --download-only install $packages

needed_by() { apt_get --simulate install "$@" | sed -n 's/^Inst \([^ ]*\).*/\1/p'; }
holder_of() { awk -v one="$1" '{ for (i = 2; i <= NF; i++) if ($i == one) print $1 }' "$work/programs"; }
archive() { find "$root/var/cache/apt/archives" -name "$1_*.deb"; }

# repack NAME REQUIRED PACKAGE...
repack() {
    name=$1 required=$2
    shift 2
    own=$here/programs/$name tree=$work/tree
    rm -rf "$tree"
    for package; do dpkg-deb --extract "$(archive "$package")" "$tree"; done
    (
        cd "$tree"
        rm -rf usr/share/doc usr/share/man usr/share/locale usr/share/lintian usr/share/bug usr/share/apport \
            etc/init.d etc/default etc/cron.daily etc/logrotate.d etc/logcheck etc/apparmor.d
        # shellcheck source=/dev/null
        [ ! -f "$own/edit" ] || . "$own/edit"
    )
    # Debian 12 installs into /lib what is in /usr/lib; an rpm does not follow the link.
    for folder in bin sbin lib; do
        [ ! -d "$tree/$folder" ] || { install -d "$tree/usr/$folder" && cp -a "$tree/$folder/." "$tree/usr/$folder/"; }
        rm -rf "${tree:?}/$folder"
    done
    [ ! -d "$own/root" ] || cp -dR --no-preserve=ownership "$own/root/." "$tree/"
    version=$(dpkg-deb --field "$(archive "$1")" Version | sed 's/^[0-9]*://; s/-[^-]*$//; s/[^A-Za-z0-9.]/./g')
    {
        printf '%s\n' "Name: $name" "Version: $version" 'Release: 1%{?dist}' "Summary: Debian's $1, repacked for an emulated host" \
            'License: see the Debian package' 'AutoReqProv: no'
        for one in $required; do echo "Requires: $one"; done
        printf '%s\n' '%description' "The files of Debian's $*, repacked for an emulated host." \
            '%install' 'cp -a /tmp/repack/tree/. %{buildroot}/'
        for script in pre post; do
            [ ! -f "$own/$script" ] || { echo "%$script" && cat "$own/$script"; }
        done
        echo '%files'
        find "$tree" -mindepth 1 -type d -empty -printf '%%dir "/%P"\n'
        find "$tree" -path "$tree/etc/*" ! -type d -printf '%%config(noreplace) "/%P"\n'
        find "$tree" ! -path "$tree/etc/*" ! -type d -printf '"/%P"\n'
    } >"$work/$name.spec"
    chroot "$root" rpmbuild --quiet -bb --target x86_64 --define "_rpmdir /$repository" \
        --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" --define '__os_install_post %{nil}' \
        --define 'debug_package %{nil}' --define '_build_id_links none' --define '_binary_payload w2.gzdio' \
        "/tmp/repack/$name.spec"
}

grep -v '^#' "$here/programs.txt" >"$work/programs"
while read -r name packages; do
    # shellcheck disable=SC2086 # a list of words
    needed=$(needed_by $packages)
    required=
    for one in $needed; do
        holder=$(holder_of "$one")
        [ -n "$holder" ] || echo "$one" >>"$work/libraries"
        [ "$holder" = "$name" ] || required="$required ${holder:-$one}"
    done
    # shellcheck disable=SC2086 # a list of words
    repack "$name" "$required" $packages
done <"$work/programs"
sort -u "$work/libraries" >"$work/each"
while read -r one; do
    repack "$one" '' "$one"
done <"$work/each"
rm -rf "$work" "$root"/var/cache/apt/archives/*.deb
