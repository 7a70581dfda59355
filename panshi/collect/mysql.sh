# Panshi probe for MySQL and MariaDB: POSIX sh, read-only, run by linux.py and linux.sh on hosts whose panshi_targets
# name mysql. It prints the items mysql.* (docs/design.md section 2) as the slots that linux.sh writes, see put() there.
#
# T (the slots' token) and defaults_file (the inventory's panshi_mysql_defaults_file, or nothing) are set in front.
# Every server process is asked through its own socket by the local client as root. No statement takes a lock, opens the
# tables of applications or selects a hash: what is known of a credential leaves the server as empty, set or invalid.
# shellcheck shell=sh disable=SC2016,SC2154 # SQL and awk are full of dollars; T and defaults_file come from outside

tab=$(printf '\t')
seconds=5 # that one statement may take; the whole of a server's questions may take three times that
now() {
  read -r up _ </proc/uptime
  up=${up%.*}${up#*.}
}
tell() { # ID CMD RC WHY TEXT: one item
  now
  printf '%s I %s\n%s M P16\t%s\t%s\n%s B %s\n%s X %s rc %s\n%s\n%s . %s\n' \
    "$T" "$1" "$T" "$up" "$2" "$T" "$5" "$T" "$T" "$3" "$4" "$T" "$up"
}

# Servers are found by their processes, their sockets by what these really listen on; no configuration is believed.
sockets_of() { # PID: paths of its listening stream sockets
  find "/proc/$1/fd" -lname 'socket:*' -printf '%l\n' 2>/dev/null | sed -n 's/^socket:\[\([0-9]*\)\]$/\1/p' |
    awk 'FNR == NR { mine[$1]; next } $4 == "00010000" && $5 == "0001" && $7 in mine && $8 ~ /^\// { print $8 }' \
      - "/proc/$1/net/unix"
}
file_of() { stat -L -c %d:%i "$1" 2>/dev/null || printf 'no %s' "$1"; } # PATH: device and inode
server_socket() { # PID: the one that the clients of SQL use
  for path in $(sockets_of "$1"); do
    case $path in *mysqlx*) ;; *) printf '%s' "$path"; return ;; esac
  done
}

login() { # SOCKET: sets $version and $as (options of the login that worked), else $why
  why='' version=''
  set -- "$1" "--no-defaults --user=root"
  # A file first: where root has a password, a try without one is a failed login each time.
  [ ! -r /root/.my.cnf ] || set -- "$1" --defaults-file=/root/.my.cnf "$2"
  if [ -n "$defaults_file" ]; then set -- "$1" "--defaults-file=$defaults_file"
  elif grep -q '^password *= *[^ ]' /etc/mysql/debian.cnf 2>/dev/null; then set -- "$@" --defaults-file=/etc/mysql/debian.cnf
  fi
  socket=$1
  shift
  for as; do
    said=$(printf 'SELECT @@version' | client) && { version=$(printf '%s' "$said" | tail -n 1); return; }
    why="${why:+$why; }$(printf '%s' "$said" | tail -n 1)"
  done
}
client() {
  # shellcheck disable=SC2086 # options in one word, no path in them has a blank
  MYSQL_HISTFILE=/dev/null timeout $((seconds * 3)) "$program" $as --protocol=socket --socket="$socket" \
    --connect-timeout=$seconds --batch --unbuffered --force --default-character-set=utf8mb4 2>&1
}

ask() { # ITEM CMD SQL: one question in the stream of SQL; CMD is what the evidence shows
  printf "SELECT '%s Q mysql.%s:%s %s';\n%s;\n" "$T" "$1" "$socket" "$2" "$3"
}
variables="'version','version_comment','version_compile_machine','hostname','port','socket','datadir','pid_file'
 ,'bind_address','skip_networking','mysqlx_bind_address','skip_name_resolve','read_only','super_read_only','server_id'
 ,'wait_timeout','interactive_timeout','max_connect_errors','max_connections','max_password_errors'
 ,'default_password_lifetime','password_history','password_reuse_interval','password_reuse_check_interval'
 ,'disconnect_on_expired_password','strict_password_validation','old_passwords','secure_auth','authentication_policy'
 ,'default_authentication_plugin','require_secure_transport','have_ssl','have_openssl','tls_version','ssl_ca','ssl_cert'
 ,'ssl_key','ssl_cipher','tls_ciphersuites','local_infile','secure_file_priv','have_symlink','log_error'
 ,'log_error_verbosity','log_error_services','log_warnings','log_timestamps','general_log','general_log_file','log_output'
 ,'slow_query_log','slow_query_log_file','log_bin','log_bin_basename','binlog_format','sync_binlog','binlog_checksum'
 ,'expire_logs_days','binlog_expire_logs_seconds','gtid_mode','gtid_strict_mode','innodb_checksum_algorithm'
 ,'innodb_encrypt_tables','innodb_encrypt_log','default_table_encryption','partial_revokes','system_time_zone','time_zone'"
patterns='validate\\_password% simple\\_password\\_check% cracklib\\_password\\_check% connection\\_control%
 server\\_audit% audit\\_log% rpl\\_semi\\_sync% wsrep\\_on wsrep\\_cluster\\_name'
select_variables() {
  printf 'SHOW GLOBAL VARIABLES WHERE Variable_name IN (%s)' "$variables"
  set -f
  # what may hold a message or statement of an audit filter is left out
  for pattern in $patterns; do printf " OR Variable_name LIKE '%s'" "$pattern"; done
  set +f
}
changed="IFNULL(UNIX_TIMESTAMP(password_last_changed), '')"
state="IF(authentication_string = '', 'empty', IF(authentication_string = 'invalid', 'invalid', 'set'))"
# Columns: user host plugin state others locked expired lifetime changed tls role attempts lock_days access. others: MariaDB's
# further ways to log in. lifetime: days, 0 never, empty the server's default. access: MariaDB's global privileges as
# bits, since no other table has those of roles.
maria_accounts="SELECT User, Host, JSON_VALUE(Priv, '\$.plugin'),
 CASE IFNULL(JSON_VALUE(Priv, '\$.authentication_string'), '') WHEN '' THEN 'empty' WHEN 'invalid' THEN 'invalid' ELSE 'set' END,
 IFNULL(REGEXP_REPLACE(JSON_COMPACT(JSON_EXTRACT(Priv, '\$.auth_or')), '(?<=\"authentication_string\":\")(?!invalid\")[^\"]+', 'set'), ''),
 IF(JSON_VALUE(Priv, '\$.account_locked'), 'Y', 'N'), IF(JSON_VALUE(Priv, '\$.password_last_changed') = 0, 'Y', 'N'),
 IF(JSON_VALUE(Priv, '\$.password_lifetime') >= 0, JSON_VALUE(Priv, '\$.password_lifetime'), ''),
 IFNULL(JSON_VALUE(Priv, '\$.password_last_changed'), ''), IFNULL(JSON_VALUE(Priv, '\$.ssl_type'), 0),
 IF(JSON_VALUE(Priv, '\$.is_role'), 'Y', 'N'), '', '', JSON_VALUE(Priv, '\$.access') FROM mysql.global_priv"
old_maria_accounts="SELECT User, Host, IF(plugin = '', 'mysql_native_password', plugin),
 IF(authentication_string = '' AND Password = '', 'empty', 'set'), '', 'N', password_expired, '', '', ssl_type, is_role, '', '', ''
 FROM mysql.user"
my_accounts="SELECT User, Host, plugin, $state, '', account_locked, password_expired, IFNULL(password_lifetime, ''),
 $changed, ssl_type, 'N', '', '', '' FROM mysql.user"
my8_accounts="SELECT User, Host, plugin, $state, '', account_locked, password_expired, IFNULL(password_lifetime, ''),
 $changed, ssl_type, 'N', IFNULL(User_attributes->>'\$.Password_locking.failed_login_attempts', ''),
 IFNULL(User_attributes->>'\$.Password_locking.password_lock_time_days', ''), '' FROM mysql.user"
# Columns: level, grantee, object, privileges, whether they may be passed on.
grants="SELECT 'global', GRANTEE, '*', GROUP_CONCAT(PRIVILEGE_TYPE ORDER BY 1), MAX(IS_GRANTABLE)
 FROM information_schema.USER_PRIVILEGES GROUP BY GRANTEE UNION ALL
 SELECT 'schema', GRANTEE, TABLE_SCHEMA, GROUP_CONCAT(PRIVILEGE_TYPE ORDER BY 1), MAX(IS_GRANTABLE)
 FROM information_schema.SCHEMA_PRIVILEGES GROUP BY GRANTEE, TABLE_SCHEMA UNION ALL
 SELECT 'table', GRANTEE, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME), GROUP_CONCAT(PRIVILEGE_TYPE ORDER BY 1), MAX(IS_GRANTABLE)
 FROM information_schema.TABLE_PRIVILEGES GROUP BY GRANTEE, TABLE_SCHEMA, TABLE_NAME"
personal="column_name REGEXP 'phone|mobile|id_?card|sfz|real_?name|addr|bank|email'"

questions() { # what is asked of a server of dialect $flavor and version $number, in one session
  printf 'SET SESSION lock_wait_timeout=1, group_concat_max_len=1000000, sql_mode=DEFAULT, time_zone=DEFAULT;\n'
  if [ "$flavor" = mariadb ]; then printf 'SET SESSION max_statement_time=%s;\n' "$seconds"
  else printf 'SET SESSION max_execution_time=%s;\n' "${seconds}000"; fi
  ask variables 'SHOW GLOBAL VARIABLES' "$(select_variables)"
  ask plugins 'SHOW PLUGINS' 'SELECT PLUGIN_NAME, PLUGIN_STATUS, PLUGIN_TYPE, IFNULL(PLUGIN_LIBRARY, ""), LOAD_OPTION
 FROM information_schema.PLUGINS WHERE PLUGIN_LIBRARY IS NOT NULL'
  ask databases 'SHOW DATABASES' 'SHOW DATABASES'
  ask grants 'SHOW GRANTS (all accounts)' "$grants"
  ask ha 'SHOW GLOBAL STATUS (wsrep, semi-sync)' "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_size',
 'wsrep_cluster_status','wsrep_local_state_comment','Rpl_semi_sync_master_status','Rpl_semi_sync_slave_status',
 'Rpl_semi_sync_source_status','Rpl_semi_sync_replica_status')"
  if [ "$flavor" = mysql ] && [ "$number" -ge 800 ]; then
    ask accounts 'SELECT user,host,plugin FROM mysql.user' "$my8_accounts"
    ask roles 'SELECT * FROM mysql.role_edges' 'SELECT TO_USER, TO_HOST, FROM_USER, FROM_HOST FROM mysql.role_edges'
    ask components 'SELECT * FROM mysql.component' 'SELECT component_urn FROM mysql.component'
    ask replication 'SHOW REPLICA STATUS' 'SHOW REPLICA STATUS'
    ask members 'SELECT * FROM performance_schema.replication_group_members' 'SELECT MEMBER_HOST, MEMBER_PORT,
 MEMBER_STATE, MEMBER_ROLE FROM performance_schema.replication_group_members'
    ask encrypted 'SELECT name FROM information_schema.innodb_tablespaces WHERE encryption' "SELECT NAME
 FROM information_schema.INNODB_TABLESPACES WHERE ENCRYPTION = 'Y' LIMIT 200"
    # From 8.0 on this is a read of the dictionary; before, and in MariaDB, it opens every table of the server.
    ask columns 'SELECT table_schema,table_name,column_name FROM information_schema.columns' "SELECT TABLE_SCHEMA,
 TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE $personal AND TABLE_SCHEMA NOT IN ('mysql','sys',
 'information_schema','performance_schema') LIMIT 500"
  elif [ "$flavor" = mysql ]; then
    ask accounts 'SELECT user,host,plugin FROM mysql.user' "$my_accounts"
    ask replication 'SHOW SLAVE STATUS' 'SHOW SLAVE STATUS'
  else
    if [ "$number" -ge 1004 ]; then ask accounts 'SELECT user,host,priv FROM mysql.global_priv' "$maria_accounts"
    else ask accounts 'SELECT user,host,plugin FROM mysql.user' "$old_maria_accounts"; fi
    ask roles 'SELECT * FROM mysql.roles_mapping' 'SELECT User, Host, Role, "" FROM mysql.roles_mapping'
    ask replication 'SHOW ALL SLAVES STATUS' 'SHOW ALL SLAVES STATUS'
    ask encrypted 'SELECT name FROM information_schema.innodb_tablespaces_encryption' 'SELECT NAME
 FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE ENCRYPTION_SCHEME <> 0 LIMIT 200'
  fi
}
# One answer per mark; an error of the server is the answer's return code and reason. A mark comes twice, as a column's
# name and as its value; behind it an answer begins with its columns' names, which only a replica's status needs. (\G
# would be shorter, but the client of MySQL 9 takes no commands of its own.)
answers() {
  awk -v T="$T" -v UP="$up" '
  function done() { if (open) printf "\n%s X %s rc %d\n%s\n%s . %s\n", T, T, (why != "" ? 1 : 0), why, T, UP; open = 0 }
  index($0, T " Q ") == 1 {
    if ($3 == id) { head = 1; next }
    done(); id = $3; head = 0; cmd = substr($0, length(T) + length(id) + 5); open = 1; why = ""; first = 1
    printf "%s I %s\n%s M P16\t%s\t%s\n%s B ", T, id, T, UP, cmd, T
    next
  }
  /^ERROR [0-9]+ \([0-9A-Z]+\)/ { why = why (why == "" ? "" : " ") $0; next }
  head && id !~ /^mysql\.replication:/ { head = 0; next }
  open { head = 0; printf "%s%s", (first ? "" : "\n"), $0; first = 0 }
  END { done() }'
}
value() { printf '%s\n' "$told" | sed -n "s/^$1$tab//p" | head -n 1; }
files() { # stat of what the server's variables name: data, logs, keys, and of the configuration
  data=$(value datadir)
  data=${data%/}
  set -- "$data" /etc/my.cnf /etc/my.cnf.d /etc/mysql /etc/my.cnf.d/* /etc/mysql/*.cnf /etc/mysql/*.d/*
  for name in general_log_file slow_query_log_file log_error server_audit_file_path audit_log_file ssl_key ssl_cert; do
    path=$(value $name)
    case $path in '' | stderr) continue ;; /*) ;; *) path=$data/${path#./} ;; esac
    set -- "$@" "$path" "$path".[0-9]* "$path"-[0-9]*
  done
  base=$(value log_bin_basename)
  [ -z "$base" ] || set -- "$@" "$base".[0-9]* "$base".index
  for path; do [ ! -e "$path" ] || printf '%s\0' "$path"; done |
    xargs -0 stat -L -c '%a %U %G %s %Y %n' 2>/dev/null | head -n 2000
}

rows='' program=$(command -v mariadb || command -v mysql)
for folder in /proc/[0-9]*; do
  comm=''
  read -r comm 2>/dev/null <"$folder/comm" || continue
  case $comm in mysqld | mariadbd | mysqld-debug) ;; *) continue ;; esac
  pid=${folder#/proc/}
  owner=$(stat -c %U "$folder" 2>/dev/null) || continue
  socket=$(server_socket "$pid") version='' why=''
  if [ -z "$socket" ]; then why='没有监听本地套接字（skip-socket，或无权查看该进程）'
  elif [ "$(file_of "$socket")" != "$(file_of "/proc/$pid/root$socket")" ]; then why='在容器或另一个文件系统视图中运行，应作为单独的主机审计'
  elif [ -z "$program" ]; then why='主机上没有 mariadb 或 mysql 客户端'
  else login "$socket"; [ -n "$version" ] || why="本机登录被拒绝：$why"
  fi
  rows="$rows${rows:+
}$pid$tab$owner$tab$comm$tab$socket$tab$version$tab$why"
  [ -n "$version" ] || continue
  flavor=mysql number=${version%%-*}
  case $version in *[Mm]aria[Dd][Bb]*) flavor=mariadb ;; esac
  minor=${number#*.}
  number=$((${number%%.*} * 100 + ${minor%%.*}))
  now
  told=$(questions | client)
  printf '%s\n' "$told" | answers
  [ "$flavor:$((number >= 800))" = mysql:1 ] ||
    tell "mysql.columns:$socket" 'SELECT table_schema,table_name,column_name FROM information_schema.columns' 1 \
      '该版本读取 information_schema.columns 须逐一打开所有表，日常巡检不读；由季度维护的只读任务给出' ''
  tell "mysql.files:$socket" 'stat (data, logs, keys, configuration)' 0 '' "$(files)"
done
if [ -n "$rows" ]; then tell mysql.servers 'ps -C mysqld,mariadbd; SELECT VERSION()' 0 '' "$rows"
else tell mysql.servers 'ps -C mysqld,mariadbd' 1 '没有运行中的 mysqld 或 mariadbd 进程' ''; fi
