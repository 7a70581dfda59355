#!/bin/sh
# Really sets a MariaDB server as the checks of target mysql want it, on a host that has one; run as root.
set -e
command -v mariadbd >/dev/null || exit 0
conf=/etc/mysql/mariadb.conf.d/99-scenario.cnf
mkdir -p /etc/mysql/tls /var/log/mysql /var/log/mysql-audit
[ -e /etc/mysql/tls/server.key ] || openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=db.example \
  -keyout /etc/mysql/tls/server.key -out /etc/mysql/tls/server.crt 2>/dev/null
chown mysql:mysql /etc/mysql/tls/server.key
chmod 600 /etc/mysql/tls/server.key
chown mysql:adm /var/log/mysql /var/log/mysql-audit
chmod 750 /var/log/mysql /var/log/mysql-audit /var/lib/mysql
cat >$conf <<'END'
[mariadbd]
plugin_load_add=simple_password_check
plugin_load_add=password_reuse_check
plugin_load_add=server_audit
simple_password_check=FORCE_PLUS_PERMANENT
password_reuse_check=FORCE_PLUS_PERMANENT
server_audit=FORCE_PLUS_PERMANENT
simple_password_check_minimal_length=10
server_audit_logging=ON
server_audit_events=CONNECT,QUERY_DDL,QUERY_DCL
server_audit_file_path=/var/log/mysql-audit/audit.log
server_audit_file_rotations=0
default_password_lifetime=90
max_password_errors=5
interactive_timeout=1800
wait_timeout=1800
max_connect_errors=100
bind_address=127.0.0.1
require_secure_transport=ON
tls_version=TLSv1.2,TLSv1.3
ssl_cert=/etc/mysql/tls/server.crt
ssl_key=/etc/mysql/tls/server.key
local_infile=OFF
secure_file_priv=/var/lib/mysql-files
symbolic_links=0
log_error=/var/log/mysql/error.log
log_warnings=2
log_bin=/var/lib/mysql/binlog
END
mkdir -p /var/lib/mysql-files
chown mysql:mysql /var/lib/mysql-files
chmod 750 /var/lib/mysql-files
cat >/etc/logrotate.d/mysql-audit <<'END'
/var/log/mysql-audit/audit.log {
  daily
  rotate 180
  missingok
  create 0640 mysql adm
}
END
# new binary logs and tables are 0660 otherwise
mkdir -p /etc/systemd/system/mariadb.service.d
printf '[Service]\nEnvironment=UMASK=0640 UMASK_DIR=0750\n' >/etc/systemd/system/mariadb.service.d/scenario.conf
systemctl daemon-reload
systemctl restart mariadb
mariadb <<'END'
CREATE DATABASE IF NOT EXISTS shop;
CREATE OR REPLACE USER app@'192.0.2.%' IDENTIFIED BY 'Scenario-app-1' PASSWORD EXPIRE NEVER;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO app@'192.0.2.%';
CREATE OR REPLACE USER dba@localhost IDENTIFIED BY 'Scenario-dba-1';
GRANT ALL ON *.* TO dba@localhost WITH GRANT OPTION;
CREATE OR REPLACE USER secadm@localhost IDENTIFIED BY 'Scenario-sec-1';
GRANT CREATE USER ON *.* TO secadm@localhost;
CREATE OR REPLACE ROLE auditor;
GRANT SELECT ON mysql.general_log TO auditor;
CREATE OR REPLACE USER auditadm@localhost IDENTIFIED BY 'Scenario-aud-1';
GRANT auditor TO auditadm@localhost;
SET DEFAULT ROLE auditor FOR auditadm@localhost;
END
find /var/log/mysql /var/log/mysql-audit -type f -exec chmod 640 {} +
cat >/etc/systemd/system/mariadb-dump.service <<'END'
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'mariadb-dump --all-databases --single-transaction >/var/backups/scenario.sql'
END
printf '[Timer]\nOnActiveSec=1\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n' >/etc/systemd/system/mariadb-dump.timer
systemctl daemon-reload
systemctl enable -q --now mariadb-dump.timer
sleep 3 # the timer's first run is over
