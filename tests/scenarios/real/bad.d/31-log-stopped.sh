#!/bin/sh
# Leave a host without any log service that lasts: syslog off, journal in memory only.
set -eu

mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\n' >/etc/systemd/journald.conf.d/50-bad.conf
systemctl disable -q --now syslog.socket rsyslog 2>/dev/null || systemctl disable -q --now rsyslog
systemctl restart systemd-journald
