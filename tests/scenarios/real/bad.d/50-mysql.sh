#!/bin/sh
# Really breaks what is good out of the box in a MariaDB server, on a host that has one; run as root.
set -e
command -v mariadbd >/dev/null || exit 0
mkdir -p /var/log/mysql
chown mysql:adm /var/log/mysql
# no unit would run the server as root: what MariaDB itself refuses without the word is started by hand below
cat >/etc/mysql/mariadb.conf.d/99-scenario.cnf <<'END'
[mariadbd]
bind_address=0.0.0.0
max_connect_errors=1000000
old_passwords=1
log_warnings=0
log_error=/var/log/mysql/error.log
log_bin=/var/log/mysql/binlog
general_log=1
END
systemctl restart mariadb
mariadb <<'END'
CREATE DATABASE IF NOT EXISTS test;
CREATE DATABASE IF NOT EXISTS shop;
CREATE OR REPLACE USER ''@localhost;
CREATE OR REPLACE USER app@'%' IDENTIFIED BY 'x';
GRANT ALL ON *.* TO app@'%';
CREATE OR REPLACE USER root@'192.0.2.%' IDENTIFIED BY 'x';
CREATE OR REPLACE USER open@localhost IDENTIFIED BY '';
END
chmod 644 /var/log/mysql/*
systemctl stop mariadb
systemd-run -q --unit=mariadb-root mariadbd --user=root
for _ in 1 2 3 4 5 6 7 8 9 10; do
  ! mariadb -e 'SELECT 1' >/dev/null 2>&1 || break
  sleep 1
done
