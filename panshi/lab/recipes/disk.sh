#!/bin/sh
# Called by mmdebstrap with the root of a new disk image and the UUID that its file system will have: does what
# grub-install and update-grub do on a running machine. panshi/lab/disk.py writes the boot sectors from what is here.
set -eu
root=$1
uuid=$2

sed -i -e 's/^GRUB_TIMEOUT=.*/GRUB_TIMEOUT=1/' -e 's/^GRUB_CMDLINE_LINUX_DEFAULT=.*/GRUB_CMDLINE_LINUX_DEFAULT=""/' \
    -e 's/^GRUB_CMDLINE_LINUX=.*/GRUB_CMDLINE_LINUX="console=ttyS0 net.ifnames=0"/' "$root/etc/default/grub"
# A graphical menu would cost an emulated processor seconds, and there is no screen.
printf '\nGRUB_TERMINAL="console serial"\nGRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"\n' >>"$root/etc/default/grub"

install -d "$root/boot/grub/i386-pc"
cp "$root"/usr/lib/grub/i386-pc/*.mod "$root"/usr/lib/grub/i386-pc/*.lst "$root/usr/lib/grub/i386-pc/boot.img" \
    "$root/boot/grub/i386-pc/"
chroot "$root" grub-mkimage --format=i386-pc --prefix='(,msdos1)/boot/grub' \
    --output=/boot/grub/i386-pc/core.img biosdisk part_msdos ext2
chroot "$root" grub-editenv /boot/grub/grubenv create

# The disk is not there yet: grub-probe answers what it will answer on it.
mv "$root/usr/sbin/grub-probe" "$root/usr/sbin/grub-probe.real"
cat >"$root/usr/sbin/grub-probe" <<STUB
#!/bin/sh
case "\$*" in
    *--target=device*) echo /dev/vda1 ;;
    *--target=fs_uuid*) echo $uuid ;;
    *--target=partmap*) echo msdos ;;
    *--target=fs*) echo ext2 ;;
esac
STUB
chmod 0755 "$root/usr/sbin/grub-probe"
install -d "$root/dev/disk/by-uuid"
touch "$root/dev/disk/by-uuid/$uuid"
chroot "$root" update-grub
rm -r "$root/dev/disk"
mv "$root/usr/sbin/grub-probe.real" "$root/usr/sbin/grub-probe"
