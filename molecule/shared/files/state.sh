# shellcheck shell=sh
# The state of a host, line by line: files (content as hash), accounts, units, running services, kernel settings that do
# not change by themselves, packet filter, packages. Read only; run by root.
LC_ALL=C
export LC_ALL
find /etc /var/lib/panshi /var/spool/cron /boot -xdev -printf 'entry %p %y %m %u %g %l\n' 2>/dev/null | sort
find /etc /var/lib/panshi /var/spool/cron /boot -xdev -type f -exec sha256sum {} + 2>/dev/null | sed 's/^/content /' | sort
getent passwd | sed 's/^/passwd /'
getent group | sed 's/^/group /'
systemctl list-unit-files --no-legend --no-pager | grep -v '\.scope ' | sed 's/^/unit /'
for unit in $(systemctl list-units --no-legend --no-pager --plain --type=service,socket,timer --state=running,listening,waiting |
  cut -d ' ' -f 1 | grep -v ^user); do
  echo "active $unit $(systemctl show -p MainPID "$unit")"
done
sysctl -a 2>/dev/null |
  grep -vE '^(fs\.(dentry|file-nr|inode|aio|quota)|kernel\.(random|ns_last|pty\.nr|tainted)|vm\.user_reserve_kbytes|net\.(netfilter|nf_conntrack_max))' |
  sed 's/^/sysctl /'
nft list ruleset 2>/dev/null | sed 's/^/nft /'
dpkg-query -W -f 'package ${Package} ${Version} ${Status}\n' 2>/dev/null
rpm -qa --qf 'package %{NAME} %{VERSION}\n' 2>/dev/null | sort
