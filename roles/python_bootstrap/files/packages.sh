# shellcheck shell=sh
# Installs python3 from the package sources that the host has, and writes down what came with it.
set -eu
state=/var/lib/panshi/bootstrap
install -d -m 0700 /var/lib/panshi "$state"
if command -v apt-get >/dev/null; then
    installed() { dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | LC_ALL=C sort -u; }
    add() { export DEBIAN_FRONTEND=noninteractive; apt-get -qq update && apt-get -qq -y install --no-install-recommends python3; }
elif command -v dnf >/dev/null; then
    installed() { rpm -qa --qf '%{NAME}\n' | LC_ALL=C sort -u; }
    add() { dnf -q -y install python3; }
elif command -v yum >/dev/null; then
    installed() { rpm -qa --qf '%{NAME}\n' | LC_ALL=C sort -u; }
    add() { yum -q -y install python3; }
else
    echo "没有 apt-get、dnf、yum，请改用 python_bootstrap_archive" >&2
    exit 3
fi
trap 'rm -f "$state/before"' EXIT
installed >"$state/before"
if ! add >"$state/log" 2>&1 </dev/null; then
    tail -n 5 "$state/log"
    echo "软件源装不上 python3：请先修好软件源，或改用 python_bootstrap_archive"
    exit 4
fi
installed | LC_ALL=C comm -13 "$state/before" - >"$state/packages"
date -u +%Y-%m-%dT%H:%M:%SZ >"$state/at"
echo installed
