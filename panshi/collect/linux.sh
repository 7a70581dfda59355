# Panshi collector for Linux hosts without Python 3.6: POSIX sh, awk, grep, find, coreutils or busybox, read-only.
#
# Fed to the target as text (``sh -s -- [--budget=25] <linux.sh``) it prints exactly one JSON object, described in
# docs/design.md section 2: the items of linux.py with the same ids, text shapes and masking. What sh cannot gather is
# named in ``skipped``. Nothing is written on the target, not even a temporary file: all data stay in pipes.
#
# How it works: collect() writes a stream of slots, each ``TOKEN slot text``, the token being random so that no file can
# forge one; one awk (RENDER) masks what could be a secret and turns the stream into JSON. A function that answers an
# item prints its text; when there is no answer it sets ``why`` and returns the item's return code.
# shellcheck shell=sh disable=SC2016,SC2046,SC2048,SC2086 # awk programs are full of dollars; lists are split on purpose

umask 022 # the login shells that are asked must not inherit a umask that hides what their profile leaves unset
export LC_ALL=C HOME=/nonexistent TERM=dumb SYSTEMD_COLORS=0 SYSTEMD_PAGER='' HISTFILE=/dev/null
login_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH="${PANSHI_PATH:-$login_path}"
cd / || exit 1
tab=$(printf '\t')
nl='
'
need_root='需要 root 权限'

# --- awk: what several programs share -----------------------------------------------------------------------------
# Old mawk has no interval expressions, no classes, no word boundaries, no strftime and 32-bit %d: none is used.
LIB='
function owners(   line, part) {
  while ((getline line < "/etc/passwd") > 0)
    if (split(line, part, ":") > 2 && !(part[3] in USER)) USER[part[3]] = part[1]
  while ((getline line < "/etc/group") > 0)
    if (split(line, part, ":") > 2 && !(part[3] in GROUP)) GROUP[part[3]] = part[1]
}
function user(id) { return (id in USER) ? USER[id] : id }
function group(id) { return (id in GROUP) ? GROUP[id] : id }
function hex(text,   i, value) {
  text = tolower(text)
  for (i = 1; i <= length(text); i++) value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
  return value + 0
}
function octal(number) {
  number %= 4096
  return int(number / 512) int(number / 64) % 8 int(number / 8) % 8 number % 8
}
function iso(seconds,   z, era, doe, yoe, doy, mp, month, s) {
  z = int(seconds / 86400); s = seconds - z * 86400; z += 719468
  era = int(z / 146097); doe = z - era * 146097
  yoe = int((doe - int(doe / 1460) + int(doe / 36524) - int(doe / 146096)) / 365)
  doy = doe - (365 * yoe + int(yoe / 4) - int(yoe / 100)); mp = int((5 * doy + 2) / 153)
  month = mp < 10 ? mp + 3 : mp - 9
  return sprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", yoe + era * 400 + (month <= 2), month, \
    doy - int((153 * mp + 2) / 5) + 1, int(s / 3600), int(s / 60) % 60, int(s) % 60)
}
function printable(path,   i) {
  if (path ~ /[\001-\037\177]/)
    for (i = 1; i <= 32; i++)
      gsub(sprintf("%c", i == 32 ? 127 : i), sprintf("\\x%02x", i == 32 ? 127 : i), path)
  return path
}
function trim(text) { sub(/^[ \t\r]+/, "", text); sub(/[ \t\r]+$/, "", text); return text }
# s with what follows pre, as far as val matches, replaced
function hide(s, pre, val, suffix,   low, out, from, size) {
  low = tolower(s)
  while (match(low, pre val)) {
    from = RSTART; size = RLENGTH
    match(substr(low, from, size), "^(" pre ")")
    out = out substr(s, 1, from - 1 + RLENGTH) "***" suffix
    s = substr(s, from + size); low = substr(low, from + size)
  }
  return out s
}
# as hide, but only between a word and the end of its command
function hide_of(s, word, pre, val,   from, size) {
  if (!match(tolower(s), word "[^;|]*")) return s
  from = RSTART; size = RLENGTH
  return substr(s, 1, from - 1) hide(substr(s, from, size), pre, val) substr(s, from + size)
}
function harmless(value) {
  return value ~ /^["\047]?(yes|no|true|false|on|off|none|default|required|sufficient|optional|\*\*\*)["\047]?$/
}
function speaks_about(key) { # a key that only speaks about secrets
  return key ~ /(timeout|tries|retry|retries|length|days|expir[a-z0-9_]*|file|path)["\047]?$/ \
    || key ~ /(^|[^a-z])(len|min|max|age|dir)["\047]?$/ \
    || key ~ /(chat|sync|policy|hash|algorithm|type|method|prompt|message|column|authentication|auth)["\047]?$/ \
    || key ~ /(program|change|level|check|format|command)["\047]?$/
}
# Every value behind a key and one of the separators. Goes from separator to separator and looks at both sides: the
# one long pattern that would say the same is not always matched at its leftmost place by old mawk.
function assign(s, separators,   low, out, at, from, key, done, left) {
  low = tolower(s); at = done = 1
  while (match(substr(low, at), separators)) {
    left = substr(low, at, RSTART - 1); sub(/[ \t]+$/, "", left)
    from = at = at + RSTART + RLENGTH - 1
    key = match(left, /[a-z0-9_.-]+["\047]?$/) ? substr(left, RSTART) : ""
    if (key !~ WORD && key !~ /(^|[^a-z0-9])(pwd|pass)["\047]?$/ || !match(substr(low, from), VALUE)) continue
    at = from + RLENGTH
    if (speaks_about(key) || harmless(substr(low, from, RLENGTH))) continue
    out = out substr(s, done, from - done) "***"; done = at
  }
  return out substr(s, done)
}
function spaced(s,   low, key, size) {
  low = tolower(s)
  if (!match(low, /^[a-z0-9_ \t]*password[a-z0-9_ \t]*=[ \t]*/) || RLENGTH == length(s)) return s
  size = RLENGTH; key = low; sub(/=.*/, "", key)
  if (speaks_about(trim(key)) || harmless(trim(substr(low, size + 1)))) return s
  return substr(s, 1, size) "***"
}
function always(s) {
  if (index(s, "://")) s = hide(s, "[a-z][a-z0-9_+.-]*:\\/\\/[^ \t/:@\"\047]*:", "[^ \t/@\"\047]+@", "@")
  if (index(s, "pbkdf2")) s = hide(s, "grub\\.pbkdf2\\.", "[a-z0-9_.]+")
  if (index(s, "$")) s = hide(s, "\\$[a-z0-9_]+\\$", EIGHT)
  return s
}
# mode P: hashes and URLs only; E: also key=value; F: also key: value and what command lines tell
function mask(s, mode) {
  s = always(s)
  if (mode == "P" || tolower(s) !~ TRIGGER) return s
  if (mode == "E") return assign(s, "=+[ \t]*")
  s = hide(s, "--?(pass[a-z0-9_]*|secret|token|pwd)(=|[ \t]+)", "(\"[^\"]*\"|\047[^\047]*\047|[^ \t;|&]+)")
  s = hide_of(s, "(mysql|mariadb|xtrabackup|innobackupex)", "[ \t]-p", "[^ \t;|&]+")
  s = hide(s, "sshpass[ \t]+-p[ \t]*", "(\"[^\"]*\"|\047[^\047]*\047|[^ \t]+)")
  s = hide_of(s, "redis-cli", "[ \t]-a[ \t]*", "[^ \t]+")
  s = hide_of(s, "curl", "[ \t](-u|--user)[ \t]*[^ \t:]+:", "[^ \t]+")
  s = hide(s, "authorization:[ \t]*[a-z0-9_]+[ \t]+", "[^ \t\"\047]+")
  s = hide(s, "identified[ \t]+by[ \t]+", "[^ \t]+")
  s = hide(s, "(r[ow]community6?|trapcommunity|community)[ \t]+", "[^ \t]+")
  s = hide(s, "^[ \t]*com2sec6?[ \t]+[^ \t]+[ \t]+[^ \t]+[ \t]+", "[^ \t]+")
  s = hide(s, ":ommysql:[^,]*,[^,]*,[^,]*,", "[^ \t;]+")
  s = hide(s, "machine[ \t]+[^ \t]+[ \t]+login[ \t]+[^ \t]+[ \t]+password[ \t]+", "[^ \t]+")
  s = hide(s, "^[ \t]*([a-z0-9_:]*:)?password[ \t]+\"", "[^\"]*\";", "\";")
  return spaced(assign(s, "[=:(]+[ \t]*"))
}
function shadow_state(field,   core, state) { # state:algorithm of a password field
  if (field == "") return "empty:"
  core = field; sub(/^!+/, "", core)
  state = core == field ? "set:" : "locked:"
  if (match(core, /^\$[A-Za-z0-9_-]+\$/)) return state substr(core, 2, RLENGTH - 2)
  if (core ~ /^_?[.\/0-9A-Za-z]+$/ && length(core) == (core ~ /^_/ ? 20 : 13)) return state "des"
  return "disabled:"
}
BEGIN {
  WORD = "(passwo?r?d|passphrase|secret|token|authtok|credential|api[_-]?key|access[_-]?key|bindpw|rootpw|pgpass)"
  VALUE = "^(\"([^\"\\\\]|\\\\.)*\"|\"[^\"]*$|\047[^\047]*\047|\047[^\047]*$|[^ \t,;&|)}\"\047]+)"
  TRIGGER = "pass|pwd|secret|token|authtok|credential|key|bindpw|rootpw|community|com2sec|identified|authorization" \
    "|mysql|mariadb|xtrabackup|innobackupex|redis-cli|curl"
  EIGHT = "[^ \t:\"\047]"; EIGHT = EIGHT EIGHT EIGHT EIGHT; EIGHT = EIGHT EIGHT "[^ \t:\"\047]*"
}
'

# --- awk: the stream of slots into JSON ---------------------------------------------------------------------------
# Slots: I item id, F file path, M mode and cmd, L link target, B body, X messages and return code, S one stat record,
# K skipped id and reason, G pattern, H head of the document, "." item complete, Z stream complete.
RENDER='
function utf8(s,   out, piece, at) { # bytes that are no UTF-8 as U+FFFD, piecewise: cutting long strings is slow
  if (s !~ /[\200-\377]/) return s
  at = 1
  while (at <= length(s)) {
    piece = substr(s, at, 512)
    if (match(piece, VALID)) { out = out substr(piece, 1, RLENGTH); at += RLENGTH }
    else { out = out "\357\277\275"; at++ }
  }
  return out
}
function json(s,   i) {
  s = utf8(s)
  gsub(/\\/, "&&", s)
  gsub(/"/, "\\\"", s)
  gsub(/\t/, "\\t", s)
  if (s ~ /[\001-\037]/) for (i = 1; i < 32; i++) gsub(sprintf("%c", i), sprintf("\\u%04x", i), s)
  return s
}
function pair(key, value) { return "\"" key "\":\"" json(value) "\"" }
function text_of_slot(   i, text) {
  text = LINE[1]
  for (i = 2; i <= LINES; i++) text = text "\n" LINE[i]
  return text
}
function skip(id, why) { SKIPPED = SKIPPED (SKIPPED == "" ? "" : ",") "{" pair("id", id) "," pair("why", why) "}" }
function second_field(s,   n, part, i) {
  n = split(s, part, ":")
  if (n > 2 && part[2] !~ /^(x|\*|!|!!|!\*)?$/) part[2] = "***"
  s = part[1]
  for (i = 2; i <= n; i++) s = s ":" part[i]
  return s
}
# The lines of the body, masked, cut to the limit, as JSON pieces in OUT[1..OUTS]; SIZE in bytes.
function body(mode, limit,   i, s, hidden) {
  OUTS = SIZE = FULL = hidden = 0
  for (i = 1; i <= LINES; i++) {
    s = LINE[i]
    if (hidden) {
      if (!match(s, /-----END [A-Z ]*PRIVATE KEY-----/)) continue
      s = substr(s, RSTART + RLENGTH); hidden = 0
      OUT[OUTS] = OUT[OUTS] json(s)
      continue
    }
    if (match(s, /-----BEGIN [A-Z ]*PRIVATE KEY-----/)) {
      hidden = s !~ /-----END [A-Z ]*PRIVATE KEY-----/
      s = substr(s, 1, RSTART + RLENGTH - 1) " ***"
    }
    s = mode == "H" ? second_field(s) : mask(s, mode)
    SIZE += length(s) + (i < LINES)
    if (SIZE > limit) {
      FULL = 1
      if (OUTS == 0) OUT[OUTS = 1] = json(substr(s, 1, limit))
      else OUT[++OUTS] = ""
      return
    }
    OUT[++OUTS] = json(s)
  }
}
function emit(   i, record) {
  if (SIZE + 200 > SPACE) { skip(ID, "总量超出上限"); return }
  SPACE -= SIZE + 200
  if (PATH_ != "") READ[ID] = 1
  printf "%s\"%s\":{%s,\"rc\":%d,\"out\":\"", (COUNT++ ? ",\n" : ""), json(ID), pair("cmd", CMD), RC
  for (i = 1; i <= OUTS; i++) printf "%s%s", (i > 1 ? "\\n" : ""), OUT[i]
  printf "\",\"at\":\"%s\",\"ms\":%d", iso(STARTED + (AT - BEGAN) / 100), (NOW - AT) * 10
  if (ERR != "") printf ",%s", pair("err", substr(ERR, 1, 2000))
  if (FULL) printf ",\"truncated\":true"
  if (PATH_ in STAT) {
    split(STAT[PATH_], record, " ")
    printf ",\"stat\":{\"type\":\"%s\"", (TARGET_SET ? "link" : KIND[substr(record[1], 1, length(record[1]) - 3)])
    if (TARGET_SET) printf ",%s", pair("target", TARGET)
    printf ",\"mode\":\"%s\",%s,%s,\"uid\":%s", octal(hex(record[1])), pair("owner", user(record[2])), \
      pair("group", group(record[3])), record[2]
    printf ",\"gid\":%s,\"size\":%s,\"mtime\":%s}", record[3], record[4], record[5]
  }
  printf "}"
}
function slot(   text, n, part) {
  if (SLOT == "B") { body(substr(MODE, 1, 1), LIMIT * (length(MODE) > 1 ? substr(MODE, 2) : 1)); return }
  text = text_of_slot()
  n = split(text, part, "\t")
  if (SLOT == "I" || SLOT == "F") {
    PATH_ = SLOT == "F" ? text : ""; ID = SLOT == "F" ? "file:" printable(text) : text
    CMD = "cat " printable(text); OUTS = SIZE = FULL = RC = TARGET_SET = 0; ERR = ""
  }
  else if (SLOT == "M") { MODE = part[1]; AT = part[2]; if (n > 2) CMD = substr(text, length(MODE) + length(AT) + 3) }
  else if (SLOT == "L") { TARGET = text; TARGET_SET = 1 }
  else if (SLOT == "X") {
    if (match(text, TOKEN " rc [0-9]+\n?")) {
      RC = substr(text, RSTART + length(TOKEN) + 4, RLENGTH) + 0
      text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
    }
    sub(/\n+$/, "", text)
    n = split(text, part, "\n"); ERR = index(text, "Missing privilege separation directory") ? NO_SSHD "\n" : ""
    for (i = 1; i <= n; i++) ERR = ERR (i > 1 ? "\n" : "") mask(part[i], "F")
  }
  else if (SLOT == ".") { NOW = text; if (RC == 141 && FULL) RC = 0; emit() }
  else if (SLOT == "S") {
    match(text, /^[0-9a-f]+ [0-9]+ [0-9]+ [0-9]+ -?[0-9]+ /)
    STAT[substr(text, RLENGTH + 1)] = substr(text, 1, RLENGTH - 1)
  }
  else if (SLOT == "K") { if (!(printable(part[1]) in READ)) skip(printable(part[1]), part[2]) }
  else if (SLOT == "G") GLOBS = GLOBS (GLOBS == "" ? "" : ",") "\"" json(text) "\""
  else if (SLOT == "H") { BEGAN = part[1]; STARTED = part[2]; HOST = part[3]; UID = part[4] }
  else if (SLOT == "Z") { WHOLE = 1; NOW = text }
}
BEGIN {
  NO_SSHD = "sshd 的运行目录不存在（sshd 已停止或由 socket 启动），sshd -T 给不出生效配置；采集不在目标上创建目录"
  VALID = "^([\001-\177]|[\302-\337][\200-\277]|\340[\240-\277][\200-\277]|[\341-\354\356\357][\200-\277][\200-\277]" \
    "|\355[\200-\237][\200-\277]|\360[\220-\277][\200-\277][\200-\277]|[\361-\363][\200-\277][\200-\277][\200-\277]" \
    "|\364[\200-\217][\200-\277][\200-\277])+"
  KIND["8"] = "file"; KIND["4"] = "dir"; KIND["1"] = KIND["2"] = KIND["6"] = KIND["a"] = KIND["c"] = "other"
  owners(); printf "{\"items\":{"
}
index($0, TOKEN " ") == 1 && substr($0, length(TOKEN) + 3, 1) == " " {
  if (SLOT != "") slot()
  SLOT = substr($0, length(TOKEN) + 2, 1); LINES = 1; LINE[1] = substr($0, length(TOKEN) + 4)
  next
}
{ LINE[++LINES] = $0 }
END {
  if (SLOT != "") slot()
  if (!WHOLE) exit 1
  printf "},\n\"schema\":1,\"collector\":\"linux.sh\",\"version\":\"2\",\"python\":null,%s", pair("hostname", HOST)
  printf ",\"started\":\"%s\",\"ms\":%d,\"uid\":%d", iso(STARTED), (NOW - BEGAN) * 10, UID
  printf ",\n\"globs\":[%s],\n\"skipped\":[%s]}\n", GLOBS, SKIPPED
}
'

# --- limits and the stream ----------------------------------------------------------------------------------------
budget=${PANSHI_BUDGET:-25} item_limit=${PANSHI_ITEM_LIMIT:-262144} total_limit=${PANSHI_TOTAL_LIMIT:-4194304}
for option; do
  case $option in
    --budget=*) budget=${option#*=} ;;
    --item-limit=*) item_limit=${option#*=} ;;
    --total-limit=*) total_limit=${option#*=} ;;
    *) printf 'linux.sh: unknown option %s\n' "$option" >&2; exit 1 ;;
  esac
done
budget=${budget%%.*}

now() { # hundredths of a second since boot, without starting a program
  read -r up _ </proc/uptime
  up=${up%.*}${up#*.}
}
have() { command -v "$1" >/dev/null; }
put() { printf '%s %s %s\n' "$T" "$1" "$2"; }
skip() { put K "$1$tab$2"; }
time_left() { # seconds left in $left, what one answer may take of them in $half; fails when there are none
  now
  left=$(((until - up + 99) / 100)) half=$(((until - up + 199) / 200))
  [ "$left" -gt 0 ]
}
limited_input() { time_left && timeout $kill_after "$half" "$@"; }
limited() { limited_input "$@" </dev/null; } # COMMAND...: never longer than half of the time that is left
lib() { # PROGRAM [FILE...]: awk with the shared functions
  program=$1
  shift
  awk -v T="$T" "$LIB$program" "$@"
}

# item ID MODE CMD FUNCTION: an item that a function answers; a digit behind the mode multiplies the size limit
item() {
  time_left || { skip "$1" 时间用尽; return; }
  why='' at=$up
  put I "$1"
  put M "$2$tab$at$tab$3"
  printf '%s B ' "$T"
  "$4"
  rc=$?
  printf '\n%s X %s rc %s\n%s\n' "$T" "$T" "$rc" "$why"
  now
  put . "$up"
}

# run ID MODE USER ASK UNASKED COMMAND...: an item that a program answers
#   USER root: needs root; nobody: must not run as root. ASK: function that sets why when the program must not be asked;
#   UNASKED: return code to show then. shown: the command in the evidence; filter: function that reads the output.
run() {
  id=$1 mode=$2 as=$3 ask=$4 unasked=$5
  shift 5
  cmd=${shown:-$*} why='' rc=''
  time_left || { skip "$id" 时间用尽; return; }
  at=$up seconds=$half
  [ "$id" != fs.scan ] || seconds=$left
  if ! have "$1"; then rc=127 why="$1: 没有这个程序"
  elif [ "$as" = root ] && [ "$uid" != 0 ]; then rc=1 why=$need_root
  else
    [ "$ask" = - ] || "$ask"
    [ -z "$why" ] || rc=$unasked
  fi
  if [ "$as" = nobody ] && [ "$uid" = 0 ] && [ -z "$rc" ]; then
    have setpriv || { skip "$id" '没有 setpriv，未执行以免以 root 打开数据库'; return; }
    set -- setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
  fi
  put I "$id"
  put M "$mode$tab$at$tab$cmd"
  printf '%s B ' "$T"
  if [ -z "$rc" ]; then
    # 3: the stream; 4: return code and messages, which become $why; 5: the program's standard error.
    # Both ends of each pipe are limited in time: a daemon that a profile starts may keep them open for ever.
    why=$({ { { guarded "$@" 2>&5 5>&-; } | ${filter:-reader $((item_limit * 4 + 1))} >&3; } 5>&1 | reader 8192; } 4>&1)
  else
    why="$T rc $rc$nl$why"
  fi
  printf '\n%s X %s\n' "$T" "$why"
  now
  put . "$up"
  case $why in *"$T rc 124"*) skip "$id" "超时（$seconds 秒）" ;; esac
  shown='' filter=''
}

guarded() { # run a program within its time, end what it left behind in its process group, tell its return code on 4
  timeout $kill_after "$seconds" "$@" </dev/null 3>&- 4>&- &
  wait $!
  code=$?
  kill -s KILL -- "-$!" 2>/dev/null
  now
  [ "$code" != 137 ] || [ "$up" -lt $((at + seconds * 100)) ] || code=124
  printf '%s rc %s\n' "$T" "$code" >&4
}
# A probe of another technology: sh text that writes its items into this stream by itself, with our T.
probed() {
  time_left || { skip mysql.servers 时间用尽; return; }
  timeout $kill_after "$half" sh -c "T=$T$nl$probe" </dev/null 3>&-
  case $? in 124 | 137) printf '\n'; skip mysql.servers "超时（$half 秒）" ;; esac
}
reader() { timeout $kill_after $((seconds + 2)) head -c "$1"; }

# --- files ----------------------------------------------------------------------------------------------------------
seen=//  # no path has two slashes in a row: they part the paths that were read already
READ_FILES='T=$1 mode=$2 limit=$3
shift 3
for path; do
  read -r up _ </proc/uptime; up=${up%.*}${up#*.}
  printf "%s F %s\n%s M %s\t%s\n" "$T" "$path" "$T" "$mode" "$up"
  why="rc 0"
  if [ -L "$path" ]; then
    target=$(readlink "$path"; echo .)
    printf "%s L %s\n" "$T" "${target%??}"
    [ -e "$path" ] || why="rc 1
No such file or directory: $path"
  fi
  printf "%s B " "$T"
  if [ -f "$path" ]; then
    [ "$mode" = S ] || head -c "$limit" "$path" || why="rc 1
无法读取（权限不足或读取出错）: $path"
  elif [ -e "$path" ] && ! [ -d "$path" ]; then why="rc 1
不是普通文件，未读取"
  fi
  read -r up _ </proc/uptime; up=${up%.*}${up#*.}
  printf "\n%s X %s %s\n%s . %s\n" "$T" "$T" "$why" "$T" "$up"
done'

files() { # MODE PATTERN...: every file that matches and was not read before
  mode=$1
  shift
  for pattern; do put G "$pattern"; done
  set +f
  set -- $*
  set -f
  for path; do # keeps the new ones, in order
    shift
    case $path in */. | */..) continue ;; esac
    [ -e "$path" ] || [ -L "$path" ] || continue
    case $seen in *"/$path//"*) continue ;; esac
    seen="$seen$path//"
    set -- "$@" "$path"
  done
  [ $# -gt 0 ] || return
  limited stat -c "$T S %f %u %g %s %Y %n" "$@" 2>/dev/null
  limited stat -L -c "$T S %f %u %g %s %Y %n" "$@" 2>/dev/null # a link's own record only stands when it dangles
  limited sh -c "$READ_FILES" sh "$T" "$mode" $((item_limit + 1)) "$@" 2>/dev/null && return
  printf '\n'
  for path; do skip "file:$path" 时间用尽; done
}

# --- items without a program of their own ----------------------------------------------------------------------------
matches() { # PATTERN...: the existing paths, one per line
  set +f
  set -- $*
  set -f
  for path; do
    if [ -e "$path" ] || [ -L "$path" ]; then printf '%s\n' "$path"; fi
  done
}
no() { # RC REASON: there is no answer
  why=$2
  return "$1"
}

# "mode owner group size mtime path" of records that stats printed with $RECORD
STAT_LINES='
function flush(   part, path) {
  if (rec == "") return
  split(rec, part, " ")
  match(rec, /^[0-9a-f]+ [0-9]+ [0-9]+ [0-9]+ -?[0-9]+ /); path = printable(substr(rec, RLENGTH + 1))
  print octal(hex(part[1])), user(part[2]), group(part[3]), part[4], part[5], path
}
BEGIN { owners() }
index($0, T " ") == 1 { flush(); rec = substr($0, length(T) + 2); next }
{ rec = rec "\n" $0 }
END { flush() }'
stat_lines() { # [-L] PATH...
  [ $# -gt 0 ] && limited stat -c "$RECORD" "$@" 2>/dev/null | lib "$STAT_LINES"
  return 0
}
stat_matches() { # PATTERN...
  set +f
  set -- $*
  set -f
  stat_lines "$@"
}

container() {
  kind=''
  [ ! -r /run/systemd/container ] || read -r kind </run/systemd/container
  [ -n "$kind" ] || kind=$(tr '\000' '\n' </proc/1/environ 2>/dev/null | sed -n 's/^container=//p' | head -n 1)
  if [ -z "$kind" ] && [ -e /run/.containerenv ]; then kind=podman; fi
  if [ -z "$kind" ] && [ -e /.dockerenv ]; then kind=docker; fi
  printf %s "${kind:-none}"
}
system_name() { uname -srm; }
uptime() { cat /proc/uptime; }
user_id() { printf '%s\n' "$uid"; }
facts_stamp() { stat_matches '/etc/ansible/facts.d/*'; }
timesync_stamp() { stat_lines /run/systemd/timesync/synchronized /var/lib/systemd/timesync/clock; }
show_mounts() { cat /proc/mounts; }

shadow() {
  [ "$uid" = 0 ] || { no 1 "$need_root"; return; }
  lib 'BEGIN { FS = ":" } { print $1 ":" shadow_state($2) ":" $3 ":" $4 ":" $5 ":" $6 ":" $7 ":" $8 }' /etc/shadow ||
    no 1 '无法读取 /etc/shadow'
}
gshadow() {
  [ "$uid" = 0 ] || { no 1 "$need_root"; return; }
  [ ! -r /etc/gshadow ] ||
    lib 'BEGIN { FS = ":" } NF > 1 && shadow_state($2) ~ /^(set|locked)/ { print $1 }' /etc/gshadow
}
pam_modules() {
  matches '/lib/security/pam_*.so /lib64/security/pam_*.so /usr/lib/security/pam_*.so /usr/lib64/security/pam_*.so
    /lib/*-linux-gnu*/security/pam_*.so /usr/lib/*-linux-gnu*/security/pam_*.so' | sed 's,.*/,,' | sort -u
}
default_target() {
  for folder in /etc /run /usr/lib /lib; do
    target=$(readlink -f "$folder/systemd/system/default.target") && [ -L "$folder/systemd/system/default.target" ] &&
      { printf '%s\n' "${target##*/}"; return; }
  done
  no 127 '没有 systemd 的 default.target'
}

# user uid euid pid ppid comm exe main; never arguments. Files are read by getline: a process may end at any time.
PROCESSES='
function main_of(exe, pid,   raw, n, arg, i, valued, name) {
  ("head -c 65536 /proc/" pid "/cmdline 2>/dev/null | tr \"\\000\\n\" \"  \"") | getline raw
  close("head -c 65536 /proc/" pid "/cmdline 2>/dev/null | tr \"\\000\\n\" \"  \"")
  n = split(raw, arg, /[ ]/)
  valued = exe ~ /^java/ ? "^(-cp|-classpath|--class-path|-p|--module-path)$" : "^(-W|-X)$"
  for (i = 2; i <= n; i++) {
    if (i > 2 && arg[i - 1] ~ valued || arg[i] == "") continue
    if (arg[i] ~ /^-[cer]$/) return ""
    name = arg[i]
    if (name ~ /^(-jar|-m|--module)$/) name = arg[i + 1]
    else if (name ~ /^-/) continue
    sub(/.*\//, "", name)
    return name ~ /^[A-Za-z0-9_.$-]+$/ && length(name) <= 120 ? name : ""
  }
  return ""
}
BEGIN { owners() }
match($0, /\/proc\/[0-9]+\/exe -> /) {
  pid = substr($0, RSTART + 6, RLENGTH - 14); exe = substr($0, RSTART + RLENGTH)
  sub(/ \(deleted\)$/, "", exe); sub(/.*\//, "", exe); EXE[pid] = exe
  next
}
/^\/proc\/[0-9]+$/ { PID[++N] = substr($0, 7) }
END {
  for (i = 1; i <= N; i++) {
    pid = PID[i]; path = "/proc/" pid "/status"
    while ((getline line < path) > 0) {
      split(line, part, "\t")
      if (part[1] == "Name:") name[pid] = substr(line, 7)
      else if (part[1] == "PPid:") parent[pid] = part[2]
      else if (part[1] == "Uid:") { uid[pid] = part[2]; euid[pid] = part[3]; break }
    }
    close(path)
  }
  for (i = 1; i <= N; i++) {
    pid = PID[i]
    for (up = pid; up in parent && up != own; up = parent[up]) ;
    if (!(pid in uid) || pid == 2 || parent[pid] == 2 || up == own) continue
    gsub(/\t/, " ", name[pid])
    main = EXE[pid] ~ /^(java|python|perl|ruby|node|php)/ ? main_of(EXE[pid], pid) : ""
    print user(uid[pid]) "\t" uid[pid] "\t" euid[pid] "\t" pid "\t" parent[pid] "\t" name[pid] "\t" EXE[pid] "\t" main
  }
}'
list_processes() {
  set +f
  { ls -ln /proc/[0-9]*/exe; printf '%s\n' /proc/[0-9]*; } 2>/dev/null |
    lib "BEGIN { own = $$ }$PROCESSES" | sort -t "$tab" -k 4n
  set -f
}
show_processes() { printf '%s\n' "$processes"; }
running() { case $processes in *"$tab$1$tab"*) ;; *) return 1 ;; esac; }

SOCKETS='
function ipv4(word) { return hex(b(word, 1)) "." hex(b(word, 2)) "." hex(b(word, 3)) "." hex(b(word, 4)) }
function b(word, i) { return substr(word, big ? 2 * i - 1 : 9 - 2 * i, 2) }
function ipv6(raw,   i, word, group16, n, from, size, best, start, out) {
  for (i = 0; i < 4; i++) {
    word = substr(raw, i * 8 + 1, 8)
    group16[2 * i + 1] = hex(b(word, 1) b(word, 2)); group16[2 * i + 2] = hex(b(word, 3) b(word, 4))
  }
  for (i = 1; i <= 9; i++) {
    if (i < 9 && group16[i] == 0) { if (!size++) from = i }
    else { if (size > best && size > 1) { best = size; start = from } size = 0 }
  }
  if (best >= 5 && start == 1 && (best == 5 && group16[6] == 65535 || best == 6))
    return (best == 5 ? "::ffff:" : "::") ipv4(substr(raw, 25, 8))
  for (i = 1; i <= 8; i++) {
    if (best && i == start) { out = out "::"; i += best - 1; continue }
    out = out (out == "" || out ~ /::$/ ? "" : ":") sprintf("%x", group16[i])
  }
  return out
}
FILENAME != last { last = FILENAME; kind = last; sub(/.*\//, "", kind); next }
{
  tcp = kind ~ /^tcp/
  if (NF < 10 || $4 != (tcp ? "0A" : "07")) next
  split($2, end, ":")
  here = (length(end[1]) > 8 ? "[" ipv6(end[1]) "]" : ipv4(end[1])) ":" hex(end[2])
  INODE[++N] = $10; WANTED[$10] = 1
  ROW[N] = (tcp ? "tcp LISTEN" : "udp UNCONN") " 0 0 " here (kind ~ /6$/ ? " [::]:*" : " 0.0.0.0:*")
}
END {
  while (N && ("ls -ln /proc/[0-9]*/fd 2>/dev/null" | getline line) > 0) {
    if (line ~ /^\/proc\/[0-9]+\/fd:$/) { pid = line; gsub(/[^0-9]/, "", pid); continue }
    if (!match(line, /[0-9]+ -> socket:\[[0-9]+\]$/)) continue
    split(substr(line, RSTART, RLENGTH - 1), part, / -> socket:\[/)
    if (!(part[2] in WANTED)) continue
    comm = ""; getline comm < ("/proc/" pid "/comm"); close("/proc/" pid "/comm")
    users = OWNER[part[2]]
    OWNER[part[2]] = users (users == "" ? "" : ",") "(\"" comm "\",pid=" pid ",fd=" part[1] ")"
  }
  for (i = 1; i <= N; i++) print ROW[i] (OWNER[INODE[i]] == "" ? "" : " users:(" OWNER[INODE[i]] ")")
}'
listening() {
  big=0
  case $(printf '\001\002' | od -An -tx2) in *0102*) big=1 ;; esac
  lib "BEGIN { big = $big }$SOCKETS" $(matches '/proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6')
}

sysctl_values() {
  c4=/proc/sys/net/ipv4 conf='/proc/sys/net/ipv4/conf/*' c6='/proc/sys/net/ipv6/conf/*' k=/proc/sys/kernel
  matches "$c4/ip_forward $c4/tcp_syncookies $c4/tcp_timestamps $c4/tcp_rfc1337 $c4/tcp_max_syn_backlog
    $c4/tcp_synack_retries $c4/tcp_syn_retries $c4/icmp_echo_ignore_all $c4/icmp_echo_ignore_broadcasts
    $c4/icmp_ignore_bogus_error_responses $c4/ip_local_port_range
    $conf/accept_redirects $conf/secure_redirects $conf/send_redirects $conf/accept_source_route $conf/rp_filter
    $conf/log_martians $conf/forwarding $conf/proxy_arp $conf/arp_ignore $conf/arp_announce
    $c6/accept_redirects $c6/accept_source_route $c6/accept_ra $c6/forwarding $c6/disable_ipv6
    $k/randomize_va_space $k/kptr_restrict $k/dmesg_restrict $k/sysrq $k/core_pattern $k/core_uses_pid
    $k/perf_event_paranoid $k/unprivileged_bpf_disabled $k/unprivileged_userns_clone $k/kexec_load_disabled
    $k/modules_disabled $k/ctrl-alt-del $k/panic $k/panic_on_oops $k/yama/ptrace_scope $k/printk $k/tainted
    $k/osrelease $k/hostname
    /proc/sys/fs/suid_dumpable /proc/sys/fs/protected_hardlinks /proc/sys/fs/protected_symlinks
    /proc/sys/fs/protected_fifos /proc/sys/fs/protected_regular /proc/sys/fs/file-max
    /proc/sys/net/core/bpf_jit_harden /proc/sys/user/max_user_namespaces /proc/sys/vm/mmap_min_addr" |
    lib '{ # sysctl(8) swaps dots and slashes in interface names such as eth0.100
      path = $0; key = substr(path, 11); gsub(/\./, "\001", key); gsub(/\//, ".", key); gsub(/\001/, "/", key)
      if ((got = (getline value < path)) >= 0) print key " = " (got ? trim(value) : "")
      close(path)
    }'
}
modules() { [ ! -r /proc/modules ] || cut -d ' ' -f 1 /proc/modules | sort; }
ima() {
  folder=/sys/kernel/security/ima
  [ -d $folder ] || { no 127 '内核没有启用 IMA 或未挂载 securityfs'; return; }
  count=$(cat $folder/runtime_measurements_count 2>/dev/null)
  printf 'runtime_measurements %s\npolicy_rules %d\n' "${count:-unreadable}" "$(grep -c '' $folder/policy 2>/dev/null)"
}
tpm() { matches '/dev/tpm* /dev/tcm*'; }
secure_boot() {
  [ -d /sys/firmware/efi ] || { echo 'EFI variables are not supported on this system'; return; }
  variable=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
  [ -r $variable ] || { no 1 "无法读取 $variable"; return; }
  case $(od -An -tx1 -j4 -N1 $variable) in *01*) echo SecureBoot enabled ;; *) echo SecureBoot disabled ;; esac
}

log_files() {
  limited find /var/log -maxdepth 3 -type f -exec stat -c "$RECORD" {} + 2>/dev/null | lib "$STAT_LINES" | sort -k 6
}
log_stat() { printf '%s\n' "$logs" | awk 'NR > 3000 { print "truncated"; exit } $0 != ""'; }
log_families() {
  printf '%s\n' "$logs" | lib 'BEGIN { compressed = "(\\.(gz|xz|bz2|zst))?$" }
  $4 > 0 {
    match($0, /^[^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ /); path = substr($0, RLENGTH + 1); family = path
    if (path ~ /\/(wtmp|btmp|lastlog|faillog|tallylog)([^A-Za-z0-9_]|$)|\.journal~?$/) next
    if (path ~ /\/sa\/sa[0-9]+$|\.(db|sqlite[0-9]?)$/) next
    sub("([.-][0-9]+)*(\\.old)?" compressed, "", family)
    if (!(family in OLDEST) || $5 + 0 < OLDEST[family] + 0) { OLDEST[family] = $5; PATH_[family] = path }
  }
  END { for (family in OLDEST) print family "\t" PATH_[family] "\t" iso(OLDEST[family]) }' | sort | head -n 200
}
log_oldest() {
  log_families | while IFS=$tab read -r family path stamp; do
    printf '%s %s\t%s\t%s\t' "$T" "$family" "$path" "$stamp"
    case $path in
      *.gz) limited gzip -dc "$path" | head -c 4096 ;;
      *.xz) limited xz -dc "$path" | head -c 4096 ;;
      *.bz2) limited bzip2 -dc "$path" | head -c 4096 ;;
      *.zst) printf '(zst)' ;;
      *) limited head -c 4096 "$path" || printf '(unreadable)' ;;
    esac 2>/dev/null
    printf '\n'
  done | tr '\000' ' ' | lib '
  function first(s, n,   i) { # the first n characters of UTF-8
    for (i = 1; i <= length(s); i++) if (substr(s, i, 1) !~ /[\200-\277]/ && n-- == 0) return substr(s, 1, i - 1)
    return s
  }
  index($0, T " ") == 1 {
    split($0, part, "\t"); head = part[1] "\t" part[2] "\t" part[3] "\t"
    record = first(substr($0, length(head) + 1), 40)
    gsub(/\t/, " ", record); print substr(head, length(T) + 2) mask(record, "F")
  }'
}
journal() {
  places='/var/log/journal /run/log/journal'
  for path in $(limited find $places -maxdepth 2 -type f -name '*.journal*' 2>/dev/null | sort | head -n 500); do
    set -- $(stat -c %s "$path" 2>/dev/null; od -An -v -tx1 -N200 "$path" 2>/dev/null)
    printf '%s %s %s\n' "$#" "$path" "$*"
  done | lib '
  function number(from,   i, value) { for (i = from + 7; i >= from; i--) value = value * 256 + hex($i); return value }
  $2 !~ /\.journal~?$/ { next }
  { total += $3 }
  $1 == 201 && $4 $5 $6 $7 $8 $9 $10 $11 == "4c504b5348485248" {
    oldest = number(188); newest = number(196)
    out = out $3 " " (oldest ? iso(int(oldest / 1000000)) " " iso(int(newest / 1000000)) : "- -") " " $2 "\n"
  }
  END { printf "usage %.0f\n%s", total, out }' |
    { if [ -d /var/log/journal ]; then echo persistent yes; else echo persistent no; fi; cat; }
}

HOMES='
function under(home,   i) { for (i = 1; i <= M; i++) if (home == REMOTE[i] || index(home, REMOTE[i] "/") == 1) return 1 }
FILENAME == "/proc/mounts" {
  gsub(/\\040/, " ", $2)
  if ($3 ~ /^(nfs|cifs|smb|fuse|autofs|ceph|gluster|lustre|9p)/) { sub(/\/$/, "", $2); REMOTE[++M] = $2 }
  next
}
{
  if (split($0, field, ":") < 7 || field[7] ~ /nologin|false|\/sync$|\/shutdown$|\/halt$/) next
  home = field[6] == "" ? "/" : field[6]
  print (under(home) ? "remote" : "local") "\t" field[1] "\t" home
}'
homes() {
  accounts=$(awk "$HOMES" /proc/mounts /etc/passwd)
  set --
  while IFS=$tab read -r where _ home; do [ "$where" != local ] || set -- "$@" "$home"; done <<END
$accounts
END
  [ $# -gt 0 ] || set -- /nonexistent
  {
    printf '%s\n' "$accounts"
    limited stat -L -c "$T home %f %u %g %n" "$@" 2>/dev/null
    limited find -H "$@" -mindepth 1 -maxdepth 1 -name '.*' ! -type l \( -perm -020 -o -perm -002 \) \
      -exec stat -c "$T dotfile %f %u %g %n" {} + 2>/dev/null
  } | lib 'BEGIN { FS = "\t"; owners() }
  function flush(   part, path, home) {
    split(rec, part, " ")
    match(rec, /^[a-z]+ [0-9a-f]+ [0-9]+ [0-9]+ /); path = substr(rec, RLENGTH + 1)
    told = octal(hex(part[2])) " " user(part[3]) " " group(part[4]) " " printable(path) "\n"
    home = path
    if (part[1] == "home") HOME[path] = told
    else if (!(path in DONE)) { DONE[path] = 1; sub(/\/[^\/]*$/, "", home); DOT[home] = DOT[home] told "\001" }
    rec = ""
  }
  index($0, T " ") == 1 { if (rec != "") flush(); rec = substr($0, length(T) + 2); next }
  rec != "" { rec = rec "\n" $0; next }
  NF == 3 { WHERE[++N] = $1; WHO[N] = $2; AT[N] = $3 }
  END {
    if (rec != "") flush()
    for (i = 1; i <= N; i++) {
      if (WHERE[i] == "remote") { print "home " WHO[i] " remote - - " AT[i]; continue }
      if (!(AT[i] in HOME)) { print "home " WHO[i] " missing - - " AT[i]; continue }
      printf "home %s %s", WHO[i], HOME[AT[i]]
      at = AT[i]; sub(/\/$/, "", at)
      n = at == "" ? 0 : split(DOT[at], dot, "\001")
      for (k = 1; k < n; k++) printf "dotfile %s %s", WHO[i], dot[k]
    }
  }'
}

grub() {
  [ "$uid" = 0 ] || { no 1 "$need_root"; return; }
  paths=$(matches '/boot/grub/grub.cfg /boot/grub/user.cfg /boot/grub2/grub.cfg /boot/grub2/user.cfg
    /boot/efi/EFI/*/grub.cfg /boot/efi/EFI/*/user.cfg /etc/grub.d/*')
  loader=none
  [ -z "$(matches '/boot/loader/entries/*.conf /boot/efi/loader/loader.conf')" ] || loader=systemd-boot
  case $paths in *grub.cfg*) loader=grub ;; esac
  printf 'boot_loader %s\n' "$loader"
  printf '%s\n' "$paths" | lib '$0 != "" {
    path = $0; found = 0
    while (found < 40 && (getline line < path) > 0) {
      if (line !~ /^[^#]*(superusers|password(_pbkdf2)?[ \t]|GRUB2_PASSWORD|--unrestricted)/) continue
      found++; line = trim(line)
      line = hide(line, "^[ \t]*password(_pbkdf2)?[ \t]+[^ \t]+[ \t]+", ".*")
      if (match(line, /GRUB2_PASSWORD=/)) line = substr(line, 1, RSTART + RLENGTH - 1) "***"
      print path ":" mask(substr(line, 1, 200), "F")
    }
    close(path)
  }'
}
selinux() {
  enforce=$(cat /sys/fs/selinux/enforce 2>/dev/null)
  case $enforce in 1) echo Enforcing; return ;; ?*) echo Permissive; return ;; esac
  if [ -e /etc/selinux/config ] || have getenforce; then echo Disabled; else no 127 '没有 SELinux'; fi
}
apparmor() {
  enabled=$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)
  [ -n "$enabled" ] || { no 127 '内核没有 AppArmor'; return; }
  printf 'enabled %s\n' "$enabled"
  sed -n 's/.*(\([a-z]*\))$/\1/p' /sys/kernel/security/apparmor/profiles 2>/dev/null | sort | uniq -c |
    awk '{ print $2, $1 }'
}
clamav() {
  paths=$(matches '/var/lib/clamav/*.c*d')
  [ -n "$paths" ] || have clamscan || have clamd || have freshclam ||
    { no 127 '没有安装 ClamAV'; return; }
  for path in $paths; do
    printf '%s %s %s\t%s\n' "$path" "$(stat -L -c '%s %Y' "$path")" "$T" "$(head -c 512 "$path" | tr -d '\000\n')"
  done | lib '{
    split($0, half, "\t"); split(half[1], info, " "); split(half[2], field, ":")
    print info[1] "\t" (field[1] == "ClamAV-VDB" ? field[2] : "") "\t" field[3] "\t" field[4] "\t" info[2] "\t" iso(info[3])
  }'
}
aide_files() {
  [ -n "$(matches '/var/lib/aide/aide.db* /var/lib/aide/*.gz')" ] || have aide || { no 127 '没有安装 AIDE'; return; }
  stat_matches '/var/lib/aide/aide.db* /var/lib/aide/*.gz' | sort -u -k 6
}
cron_files() {
  stat_lines /etc/crontab /etc/anacrontab /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly \
    /etc/cron.monthly /etc/cron.allow /etc/cron.deny /etc/at.allow /etc/at.deny /var/spool/cron /var/spool/cron/crontabs
  set --
  set +f
  for path in /etc/cron.d/* /etc/cron.hourly/* /etc/cron.daily/* /etc/cron.weekly/* /etc/cron.monthly/* \
    /var/spool/cron/* /var/spool/cron/crontabs/*; do
    [ ! -f "$path" ] || set -- "$@" "$path"
  done
  set -f
  stat_lines "$@"
}
cron_jobs() {
  set +f
  for path in /etc/crontab /etc/anacrontab /etc/cron.d/* /var/spool/cron/* /var/spool/cron/crontabs/*; do
    [ -f "$path" ] || continue
    printf '%s\n' "$path"
    head -c 65536 "$path" | tr '\000' ' ' | sed "s/^/$T /"
    printf '\n'
  done 2>/dev/null | lib '
  index($0, T " ") == 1 {
    line = trim(substr($0, length(T) + 2))
    if (line != "" && line !~ /^#/) print printable(path) ":" mask(line, "F")
    next
  }
  $0 != "" { path = $0 }'
  for folder in hourly daily weekly monthly; do
    for path in "/etc/cron.$folder"/*; do
      [ ! -e "$path" ] || printf '%s:@%s\n' "$path" "$folder"
    done
  done
  set -f
}
exports() {
  [ -e /var/lib/nfs/etab ] || { no 127 '没有 NFS 服务端'; return; }
  cat /var/lib/nfs/etab
}

dpkg_list() {
  [ -s /var/lib/dpkg/status ] || { no 127 '没有 /var/lib/dpkg/status'; return; }
  awk 'BEGIN { RS = ""; FS = "\n" } {
    split("", f)
    for (i = 1; i <= NF; i++) if (match($i, /^(Package|Status|Architecture|Source|Version): */))
      f[substr($i, 1, index($i, ":") - 1)] = substr($i, RLENGTH + 1)
    if (f["Package"] == "" || f["Version"] == "") next
    n = split(f["Source"] == "" ? f["Package"] : f["Source"], source, " ")
    gsub(/[()]/, "", source[2]); if (n < 2) source[2] = f["Version"]
    print f["Package"] "\t" f["Version"] "\t" f["Architecture"] "\t" f["Status"] "\t" source[1] "\t" source[2]
  }' /var/lib/dpkg/status
}
show_dpkg() { if [ -n "$packages" ]; then printf '%s\n' "$packages"; else no 127 '没有 /var/lib/dpkg/status'; fi; }
apt_lists() {
  stat -L -c '%Y %n' $(matches '/var/lib/apt/lists/*Release') 2>/dev/null | lib '{
    split("", f); path = $2; name = path; sub(/.*\//, "", name)
    while ((getline line < path) > 0 && line !~ /^(MD5Sum|SHA1|SHA256|SHA512):/)
      if (match(line, /^(Date|Suite|Label): */)) f[substr(line, 1, index(line, ":") - 1)] = substr(line, RLENGTH + 1)
    close(path); print name "\t" iso($1) "\t" f["Date"] "\t" f["Suite"] "\t" f["Label"]
  }'
}
unpacked() { # with the host's own unpackers
  case $1 in
    *.gz) tool=gzip ;; *.xz) tool=xz ;; *.lz4) tool=lz4 ;; *.zst) tool=zstd ;; *.bz2) tool=bzip2 ;; *) tool='' ;;
  esac
  if [ -z "$tool" ]; then limited cat "$1"
  elif have "$tool"; then limited "$tool" -dc "$1"
  else limited /usr/lib/apt/apt-helper cat-file "$1"; fi 2>/dev/null
}
# Debian policy 5.6.12: orders versions as dpkg does
APT_SECURITY='
function order(c) {
  if (c == "~") return -1
  if (c == "" || c ~ /[0-9]/) return 0
  return index("ABCDEFGHIJKLMNOPQRSTUVWXYZ", c) ? index("ABCDEFGHIJKLMNOPQRSTUVWXYZ", c) \
    : index("abcdefghijklmnopqrstuvwxyz", c) ? 100 + index("abcdefghijklmnopqrstuvwxyz", c) : 256 + index("+-.:", c)
}
function part_newer(a, b,   x, y) {
  while (a != "" || b != "") {
    while (a ~ /^[^0-9]/ || b ~ /^[^0-9]/) {
      x = order(substr(a, 1, 1)); y = order(substr(b, 1, 1))
      if (x != y) return x - y
      a = substr(a, 2); b = substr(b, 2)
    }
    sub(/^0+/, "", a); sub(/^0+/, "", b)
    match(a, /^[0-9]*/); x = substr(a, 1, RLENGTH); a = substr(a, RLENGTH + 1)
    match(b, /^[0-9]*/); y = substr(b, 1, RLENGTH); b = substr(b, RLENGTH + 1)
    if (length(x) != length(y)) return length(x) - length(y)
    if (x != y) return ("x" x > "x" y) ? 1 : -1
  }
  return 0
}
function epoch(v) { return v ~ /^[0-9]+:/ ? v + 0 : 0 }
function upstream(v) { sub(/^[0-9]+:/, "", v); sub(/-[^-]*$/, "", v); return v }
function revision(v) { return v ~ /-/ ? substr(v, match(v, /-[^-]*$/) + 1) : "0" }
function newer(a, b,   by) {
  if (epoch(a) != epoch(b)) return epoch(a) - epoch(b)
  by = part_newer(upstream(a), upstream(b))
  return by ? by : part_newer(revision(a), revision(b))
}
function block(   key) {
  key = name "\t" arch
  if (name in KNOWN && key in INSTALLED && version != INSTALLED[key] \
    && newer(version, key in BEST ? BEST[key] : INSTALLED[key]) > 0) { BEST[key] = version; ORIGIN[key] = origin }
  name = ""
}
$0 == T " !" { print "!" } # half a list would look as if nothing were outstanding
index($0, T " ") == 1 { origin = substr($0, length(T) + 2); next }
origin == "" {
  split($0, f, "\t"); if (f[4] ~ / installed$/) { INSTALLED[f[1] "\t" f[3]] = f[2]; KNOWN[f[1]] = 1 }
  next
}
$0 == "" { if (name != "") block(); next }
/^Package: / { name = $2 }
/^Version: / { version = $2 }
/^Architecture: / { arch = $2 }
END {
  if (name != "") block()
  for (key in BEST) { split(key, f, "\t"); print f[1] "\t" INSTALLED[key] "\t" BEST[key] "\t" ORIGIN[key] }
}'
apt_security() {
  [ -e /var/lib/dpkg/status ] || { no 127 主机不用这种软件包; return; }
  [ -n "$packages" ] || { no 1 '没有得到 pkg.dpkg'; return; }
  found=$({
    printf '%s\n' "$packages"
    security='/[^/]*(security|_dists_[a-z]+_updates_)[^/]*$'
    for path in $(matches '/var/lib/apt/lists/*_Packages*' | grep -E "$security"); do
      origin=${path##*/} origin=${origin##*_dists_}
      printf '%s %s\n' "$T" "$(printf %s "${origin%%_binary-*}" | tr _ /)"
      unpacked "$path" || printf '\n%s !' "$T"
      printf '\n\n'
    done
  } | lib "$APT_SECURITY" | sort)
  case $found in *!*) no 1 '不能解压软件包清单' ;; ?*) printf '%s\n' "$found" ;; esac
}
dnf_files() {
  matches "/var/cache/dnf/*/repodata/$1 /var/cache/libdnf5/*/repodata/$1 /var/cache/yum/*/*/*/$1
    /var/cache/yum/*/$1" | sort -u
}
dnf_lists() {
  advised=$(dnf_files '*updateinfo.xml*')
  for path in $(dnf_files repomd.xml); do
    folder=${path%/*} told=none
    case $advised in *"$folder/"*) told=updateinfo ;; esac
    printf '%s\t%s\t%s\n' "$(stat -L -c %Y "$path")" "$folder" "$told"
  done | lib 'BEGIN { FS = "\t" } { print iso($1) "\t" $2 "\t" $3 }'
}
dnf_security() { have rpm || no 127 主机不用这种软件包; }

# Where the module is not loaded, asking for rules would load it. Whether it is built in tells its list of modules; a
# container has none of its host's kernel, a minimal kernel has none at all.
nft_loaded() {
  grep -q '^nf_tables ' /proc/modules 2>/dev/null || [ -d /sys/module/nf_tables ] && return
  builtin=/lib/modules/$(uname -r)/modules.builtin
  if [ -s "$builtin" ]; then grep -q '/nf_tables\.ko' "$builtin"
  elif [ -r /proc/config.gz ] && have gzip; then limited gzip -dc /proc/config.gz | grep -q '^CONFIG_NF_TABLES=y$'
  else limited grep -qE ' (nf_tables_newrule|nft_do_chain)$' /proc/kallsyms 2>/dev/null; fi
}
ask_nft() { [ "$nft" = yes ] || why='内核没有装入 nf_tables，没有规则；未执行以免装入模块'; }
ask_xtables() { # NAMES SAVE: the file with the names of the tables that the kernel has, a program like iptables-save
  ! grep -q . "$1" 2>/dev/null || return 0
  if [ "$nft" = yes ] && ! have nft; then
    case $(readlink -f "$(command -v "$2")") in *-nft-multi) return 0 ;; esac
  fi
  why='内核没有装入 iptables 表，没有规则；未执行以免装入模块'
}
ask_iptables() { ask_xtables /proc/net/ip_tables_names iptables-save; }
ask_ip6tables() { ask_xtables /proc/net/ip6_tables_names ip6tables-save; }
ask_ufw() {
  grep -qi '^[[:blank:]]*ENABLED[[:blank:]]*=[[:blank:]]*yes' /etc/ufw/ufw.conf || why='/etc/ufw/ufw.conf 未启用'
}
ask_firewalld() { running firewalld || why='firewalld 未运行；未执行'; }
ask_chrony() { running chronyd || why='chronyd 未运行；未执行'; }
ask_ntp() { running ntpd || why='ntpd 未运行；未执行'; }
ask_timesyncd() { running systemd-timesyn || why='systemd-timesyncd 未运行；未执行以免启动它'; }
ask_kysec() { [ -d /sys/kernel/security/kysec ] || [ -d /etc/kysec ] || why='没有 kysec'; }

path_folders() { # of a root login shell
  [ -n "$root_path" ] || { no 1 'shell.login 没有给出 PATH'; return; }
  rest=$root_path:
  while [ -n "$rest" ]; do
    folder=${rest%%:*} rest=${rest#*:}
    printf '%s %s %s\n' "$T" "$(limited stat -L -c '%f %u %g' "${folder:-.}" 2>/dev/null || echo missing)" "$folder"
  done | lib 'BEGIN { owners() } {
    if ($2 == "missing") { print "missing - - " substr($0, length(T) + 10); next }
    match($0, /^[^ ]+ [^ ]+ [^ ]+ [^ ]+ /); print octal(hex($2)), user($3), group($4), substr($0, RLENGTH + 1)
  }'
}
versions() {
  limited ssh -V 2>&1
  ! have openssl || limited openssl version 2>/dev/null
}

SECRETS='
function told(   text, low, at, value, start) {
  text = low = substr($0, RLENGTH + 1); low = tolower(low); at = 1
  while (match(substr(low, at), PATTERN)) {
    start = substr(text, 1, at + RSTART - 2); value = substr(low, at + RSTART - 1, RLENGTH); at += RSTART + RLENGTH - 1
    sub(/^(passw?o?r?d|secret|api_?key|token)["\047]?[ \t]*[=:][ \t]*["\047]?/, "", value); sub(/[;,)]+$/, "", value)
    sub(/^[ \t]+/, "", start)
    if (start ~ /^([#;*]|\/\/|--)/ || harmless(value)) continue
    if (++N > 300) { print "truncated"; exit }
    print printable(path) ":" number
  }
}
BEGIN {
  PATTERN = "[^ \t\"\047<>${}%#]"
  PATTERN = "(passwd|password|secret|api_?key|token)[\"\047]?[ \t]*[=:][ \t]*[\"\047]?" \
    PATTERN PATTERN PATTERN PATTERN PATTERN "*"
}
match($0, /:[0-9]+:/) {
  path = substr($0, 1, RSTART - 1); number = substr($0, RSTART + 1, RLENGTH - 2); RLENGTH += RSTART - 1
  told()
}'
plaintext_secrets() {
  places=$(matches '/etc /opt /srv /usr/local/etc /app /data /home')
  limited find $places -maxdepth 5 -type f -perm -004 -size -257 \
    \( -name '*.conf' -o -name '*.cnf' -o -name '*.cfg' -o -name '*.ini' -o -name '*.properties' -o -name '*.yml' \
    -o -name '*.yaml' -o -name '*.json' -o -name '*.xml' -o -name '*.env' -o -name '*.sh' -o -name '*.php' \
    -o -name '*.toml' -o -name .env -o -name .my.cnf -o -name .pgpass -o -name .netrc \) 2>/dev/null | sort |
    grep -vE '^/etc/(nsswitch|(pam\.d|ssl|alternatives|fonts|security|selinux|apparmor\.d|udev|systemd|dbus-1)/)' |
    awk 'NR <= 3000' | tr '\n' '\000' |
    limited_input xargs -0 grep -aHniE "(passw(or)?d|secret|api_?key|token)[\"']?[[:blank:]]*[=:]" 2>/dev/null |
    tr '\000' ' ' | lib "$SECRETS"
  return 0
}

# --- the pass over the file system ------------------------------------------------------------------------------------
PRUNED='/proc /sys /var/lib/docker /var/lib/containers /var/lib/containerd /var/lib/machines'
scan_roots() { # / and the mount points of the other local disk file systems, one per device
  set -- /
  while IFS= read -r point; do [ ! -d "$point" ] || set -- "$@" "$point"; done <<END
$(awk -v pruned="$PRUNED" 'BEGIN { n = split(pruned, prune, " ") }
  $3 ~ /^(ext[234]|xfs|btrfs|overlay|f2fs|jfs|reiserfs|zfs)/ {
    gsub(/\\040/, " ", $2)
    for (i = 1; i <= n; i++) if (index($2, prune[i]) == 1) next
    print $2
  }' /proc/mounts)
END
  limited stat -c '%d %n' "$@" 2>/dev/null | awk '!seen[$1]++ { sub(/^[0-9]+ /, ""); print }'
}
ids_of() { awk -F: -v word="$1" '$3 ~ /^[0-9]+$/ && !seen[$3]++ { printf "%s%s %s", n++ ? " -o " : "", word, $3 }' "$2"; }
SCAN='
function told(kind,   at) {
  if (++COUNT[kind] > 400) return
  ROW[++N] = kind; MODE[N] = $2; UID[N] = $3; GID[N] = $4
  PATH_[N] = substr($0, length($1 $2 $3 $4) + 5); gsub(/\001/, "\n", PATH_[N]); PATH_[N] = printable(PATH_[N])
}
function bit(number, value) { return int(number / value) % 2 }
function resolve(table, known, id,   ids, part, line, asked, seen) { # asks the name services for ids the files lack
  for (i = 1; i <= N; i++)
    if (!(id[i] in known) && !(id[i] in seen) && ++asked <= 200) { seen[id[i]] = 1; ids = ids " " id[i] }
  if (ids == "") return
  ids = "timeout 5 getent " table ids " 2>/dev/null; echo rc:$?"
  while ((ids | getline line) > 0)
    if (split(line, part, ":") > 2) known[part[3]] = part[1]
    else if (line == "rc:124") silent = 1 # an id that stays unknown may well belong to somebody
}
BEGIN { owners() }
{
  mode = 0; for (i = 1; i <= length($2); i++) mode = mode * 8 + substr($2, i, 1)
  path = substr($0, length($1 $2 $3 $4) + 5); base = path; sub(/.*\//, "", base); file = $1 == "f"
  wide = file && (bit(mode, 16) || bit(mode, 2))
  if (file && bit(mode, 2048)) told("suid")
  if (file && bit(mode, 1024)) told("sgid")
  if (file && bit(mode, 2)) told("ww_file")
  if ($1 == "d" && bit(mode, 2) && !bit(mode, 512)) told("ww_dir")
  if (!($3 in USER) || !($4 in GROUP)) told("unowned")
  if (base ~ /^(\.rhosts|\.shosts|hosts\.equiv|shosts\.equiv)$/) told("rhosts")
  if (wide && path ~ /^\/etc\//) told("etc_wide")
  if (wide && path ~ /^\/usr\/(local\/)?s?bin\//) told("exec_wide")
}
END {
  resolve("passwd", USER, UID); resolve("group", GROUP, GID)
  for (i = 1; i <= N; i++) {
    if (ROW[i] == "unowned" && (silent || (UID[i] in USER) && (GID[i] in GROUP))) { COUNT["unowned"]--; continue }
    print ROW[i], substr("0000" MODE[i], length(MODE[i]) + 1), user(UID[i]), group(GID[i]), PATH_[i]
  }
  for (kind in COUNT) if (COUNT[kind] > 400) print "truncated", kind, COUNT[kind]
  if (silent) print "truncated unowned 0"
}'
scan_lines() { tr '\n\000' '\001\n' | lib "$SCAN"; }
scan() {
  if ! find / -maxdepth 0 -printf '' 2>/dev/null; then
    skip fs.scan 'find 不支持 -printf，未扫描文件系统'
    return
  fi
  set --
  while IFS= read -r point; do set -- "$@" "$point"; done <<END
$(scan_roots)
END
  shown='find / -xdev ...' filter=scan_lines
  run fs.scan P32 any - 0 find "$@" -xdev \( -path /proc -o -path /sys -o -path /var/lib/docker \
    -o -path /var/lib/containers -o -path /var/lib/containerd -o -path /var/lib/machines \) -prune -o ! -type l \( \
    -type f \( -perm /6002 -o -perm /022 -regex '/etc/.*\|/usr/s?bin/.*\|/usr/local/s?bin/.*' \) \
    -o -type d -perm -0002 ! -perm -1000 \
    -o ! \( $(ids_of -uid /etc/passwd) \) -o ! \( $(ids_of -gid /etc/group) \) \
    -o -name .rhosts -o -name .shosts -o -name hosts.equiv -o -name shosts.equiv \) -printf '%y %m %U %G %p\0'
}

# --- the tables, in the order of linux.py -----------------------------------------------------------------------------
all_files() { # S: stat only, H: a hash in the second field goes, E and F: see mask
  files S /etc/shadow /etc/gshadow /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/security/opasswd \
    '/etc/ssh/ssh_host_*_key' /etc/chrony.keys '/etc/chrony/*.keys' /etc/localtime /boot/grub/grub.cfg \
    /boot/grub2/grub.cfg /boot/grub2/user.cfg /var/log /var/log/audit /tmp /var/tmp
  files H /etc/passwd /etc/group
  files E /etc/login.defs /etc/pam.conf '/etc/pam.d/*' '/usr/lib/pam.d/*' /etc/security/faillock.conf /etc/security/pwquality.conf \
    '/etc/security/pwquality.conf.d/*' /etc/security/pwhistory.conf /etc/security/limits.conf \
    '/etc/security/limits.d/*' /etc/security/access.conf /etc/security/time.conf /etc/ssh/sshd_config \
    '/etc/ssh/sshd_config.d/*' /etc/sudoers '/etc/sudoers.d/*' /etc/nsswitch.conf '/etc/audit/*' \
    '/etc/audit/rules.d/*' '/etc/audit/plugins.d/*' '/etc/audisp/*' '/etc/audisp/plugins.d/*'
  files F '/etc/*-release' /etc/debian_version /etc/hostname /etc/hosts /etc/resolv.conf /etc/fstab \
    /etc/default/grub /etc/profile '/etc/profile.d/*' /etc/environment /etc/bashrc /etc/bash.bashrc '/etc/csh.*' \
    '/etc/zsh/*' '/etc/skel/.*' /root/.bash_profile /root/.bash_login /root/.profile /root/.bashrc /root/.cshrc \
    /root/.tcshrc /etc/default/useradd /etc/adduser.conf /etc/securetty /etc/xinetd.conf '/etc/xinetd.d/*' \
    /etc/inetd.conf
  files F /etc/rsyslog.conf '/etc/rsyslog.d/*' '/etc/syslog-ng/*.conf' '/etc/syslog-ng/conf.d/*' \
    /etc/logrotate.conf '/etc/logrotate.d/*' /etc/chrony.conf '/etc/chrony/*' '/etc/chrony/conf.d/*' \
    '/etc/chrony/sources.d/*' '/etc/chrony.d/*' /etc/ntp.conf /etc/ntpsec/ntp.conf '/etc/ntpsec/ntp.d/*'
  set --
  for folder in /etc /usr/lib /run; do
    for name in journald coredump logind timesyncd system; do
      set -- "$@" "$folder/systemd/$name.conf" "$folder/systemd/$name.conf.d/*"
    done
  done
  files F "$@"
  files F /etc/hosts.allow /etc/hosts.deny /etc/hosts.equiv /etc/ssh/shosts.equiv /etc/issue /etc/issue.net \
    /etc/motd /etc/crontab /etc/anacrontab /etc/cron.allow /etc/cron.deny /etc/at.allow /etc/at.deny \
    /etc/apt/sources.list '/etc/apt/sources.list.d/*' /etc/apt/apt.conf '/etc/apt/apt.conf.d/*' /etc/yum.conf \
    /etc/dnf/dnf.conf /etc/dnf/automatic.conf '/etc/yum.repos.d/*'
  files F /etc/vsftpd.conf '/etc/vsftpd/*.conf' '/etc/proftpd/*.conf' '/etc/proftpd/conf.d/*' \
    '/etc/pure-ftpd/conf/*' /etc/samba/smb.conf /etc/exports '/etc/exports.d/*' '/etc/lightdm/*.conf' \
    '/etc/lightdm/lightdm.conf.d/*' '/usr/share/lightdm/lightdm.conf.d/*' '/etc/gdm*/*.conf' \
    '/etc/dconf/profile/*' '/etc/dconf/db/*.d/*' '/etc/dconf/db/*.d/locks/*' '/etc/systemd/system/getty@*.d/*' \
    '/etc/systemd/system/serial-getty@*.d/*' '/etc/systemd/system/console-getty*.d/*'
  set --
  for folder in /etc /usr/lib /lib; do
    for name in rescue emergency; do
      set -- "$@" "$folder/systemd/system/$name.service" "$folder/systemd/system/$name.service.d/*"
    done
  done
  files F "$@" /etc/systemd/system/ctrl-alt-del.target
  files F '/etc/modprobe.d/*' '/usr/lib/modprobe.d/*' '/run/modprobe.d/*' /etc/sysctl.conf '/etc/sysctl.d/*' \
    /proc/cmdline /etc/selinux/config /etc/default/ufw /etc/ufw/ufw.conf /etc/firewalld/firewalld.conf \
    /etc/nftables.conf /etc/sysconfig/nftables.conf /etc/sysconfig/iptables /etc/aide.conf '/etc/aide/*' \
    '/etc/aide/aide.conf.d/*' /etc/default/aide '/etc/tmpfiles.d/*' /usr/lib/tmpfiles.d/tmp.conf \
    /usr/lib/tmpfiles.d/systemd-tmp.conf '/run/tmpfiles.d/*' /etc/tmpreaper.conf /etc/fail2ban/jail.conf \
    /etc/fail2ban/jail.local '/etc/fail2ban/jail.d/*' '/etc/clamav/*.conf' '/etc/clamd.d/*.conf' \
    /etc/freshclam.conf /etc/crypto-policies/config /etc/crypto-policies/back-ends/opensshserver.config \
    /etc/sysconfig/sshd /etc/default/ssh
}

SHELL_SCRIPT='unset HISTFILE; if readonly -p | grep -q " TMOUT"; then r=yes; else r=no; fi
for n in TMOUT PATH HISTSIZE HISTFILESIZE HISTTIMEFORMAT HISTCONTROL PROMPT_COMMAND; do eval "v=\${$n-}"
printf "%s=%s\n" "$n" "$v"; done
printf "TMOUT_READONLY=%s\nUMASK=%s\nCORE_HARD=%s\n" "$r" "$(umask)" "$(ulimit -Hc)"'
ask_shell() { # id, mode and what a person would type come from the table
  # The skeleton home stands for a freshly made account; root's own dot files could start agents or write files.
  run "$1" F any ask_bash 127 env -i HOME=/etc/skel USER=root LOGNAME=root SHELL=/bin/bash TERM=dumb \
    PATH="$login_path" bash "$2" "$SHELL_SCRIPT"
}
ask_bash() { have bash || why='bash: 没有这个程序'; }
UNITS='auditd rsyslog syslog-ng systemd-journald chronyd chrony ntpd ntp ntpsec systemd-timesyncd sshd ssh cron crond
 firewalld nftables ufw rescue emergency ctrl-alt-del.target'
UNIT_FACTS=Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,RefuseManualStop,Restart,ExecStart
RPM_FORMAT='%{NAME}\t%|EPOCH?{%{EPOCH}}:{0}|:%{VERSION}-%{RELEASE}\t%{ARCH}\t%{SOURCERPM}\t%{INSTALLTIME}\n'

collect() {
  exec 3>&1
  now
  put H "$up$tab$(date +%s)$tab$(uname -n)$tab$uid"
  until=$((up + budget * 100))
  all_files
  processes=$(list_processes)
  logs=$(log_files)
  packages=$(dpkg_list)
  item host.container P 'systemd-detect-virt --container' container
  item host.uname P 'uname -srm' system_name
  item host.uptime P 'cat /proc/uptime' uptime
  item host.ids P 'id -u' user_id
  item host.facts_stamp P 'ls -l /etc/ansible/facts.d' facts_stamp
  item account.shadow P 'cut -d: -f1,3- /etc/shadow' shadow
  item account.gshadow_passwords P "awk -F: '\$2 !~ /^[!*]*\$/ {print \$1}' /etc/gshadow" gshadow
  item pam.modules P 'ls /lib*/security /usr/lib*/security' pam_modules
  item systemd.default P 'systemctl get-default' default_target
  item proc.list P 'ps -eo user,ruid,euid,pid,ppid,comm' show_processes
  item net.listen P 'ss -tulnpH (read from /proc/net)' listening
  item kernel.sysctl P 'sysctl -a (read from /proc/sys)' sysctl_values
  item kernel.modules P lsmod modules
  item kernel.ima P 'cat /sys/kernel/security/ima/runtime_measurements_count' ima
  item kernel.tpm P 'ls /dev/tpm* /dev/tcm*' tpm
  item kernel.secureboot P 'mokutil --sb-state' secure_boot
  item time.timesync_stamp P 'ls -l /run/systemd/timesync /var/lib/systemd/timesync' timesync_stamp
  item log.stat P 'find /var/log -maxdepth 3 -type f -ls' log_stat
  item log.oldest P 'head -c 40 (oldest file of every log)' log_oldest
  item log.journal P 'journalctl --disk-usage; journalctl --header' journal
  item fs.mounts F 'cat /proc/mounts' show_mounts
  item fs.homes P 'ls -ld <homes> <homes>/.*' homes
  item grub.password P "grep -E 'superusers|password|GRUB2_PASSWORD' <grub files>" grub
  item mac.selinux P getenforce selinux
  item mac.apparmor P aa-status apparmor
  item av.clamav P 'sigtool --info /var/lib/clamav/*.c[vl]d' clamav
  item ids.aide P 'ls -l /var/lib/aide' aide_files
  item cron.files P 'ls -l /etc/cron* /var/spool/cron' cron_files
  item cron.jobs P 'cat /etc/crontab /etc/cron.d/* /var/spool/cron/*' cron_jobs
  item net.exports P 'cat /var/lib/nfs/etab' exports
  item pkg.dpkg P4 'dpkg-query -W (read from /var/lib/dpkg/status)' show_dpkg
  item pkg.apt_lists P 'ls -l /var/lib/apt/lists' apt_lists
  item pkg.dnf_lists P 'ls -l /var/cache/dnf' dnf_lists
  [ -z "$probe" ] || probed
  run sshd.effective P root - 0 sshd -T -C user=root,host=localhost,addr=127.0.0.1
  shown='ssh -V'
  run sshd.version P any - 0 sh -c 'ssh -V 2>&1'
  shown="bash -lc 'echo \$TMOUT \$PATH ...; umask; ulimit -Hc'"
  told=$(ask_shell shell.login -lc 3>&1)
  root_path=$(printf '%s\n' "$told" | sed -n 's/^PATH=//p' | head -n 1)
  printf '%s\n' "$told"
  shown="bash -ic 'echo \$TMOUT \$PATH ...; umask; ulimit -Hc'"
  ask_shell shell.interactive -ic
  run account.useradd_defaults P any - 0 useradd -D
  run account.lastlog P any - 0 lastlog
  run account.logged_in P any - 0 who -u
  run systemd.units P any - 0 systemctl list-units --all --full --plain --no-legend
  run systemd.unit_files P any - 0 systemctl list-unit-files --full --no-legend
  run systemd.show F any - 0 systemctl show -p $UNIT_FACTS $UNITS
  run systemd.timers P any - 0 systemctl list-timers --all --full --no-legend
  run net.addresses P any - 0 ip -o addr
  run net.routes P any - 0 ip route
  run kernel.modprobe P any - 0 modprobe -n -v usb-storage
  run audit.rules P root - 0 auditctl -l
  run audit.status P root - 0 auditctl -s
  run time.chrony_tracking P any ask_chrony 1 chronyc -n tracking
  run time.chrony_sources P any ask_chrony 1 chronyc -n sources
  run time.ntpq P any ask_ntp 1 ntpq -pn
  run time.timedatectl P any ask_timesyncd 1 timedatectl show-timesync --all
  nft=no
  ! nft_loaded || nft=yes
  run fw.nft P root ask_nft 0 nft list ruleset
  run fw.iptables P root ask_iptables 0 iptables-save
  run fw.ip6tables P root ask_ip6tables 0 ip6tables-save
  run fw.firewalld P root ask_firewalld 252 firewall-cmd --list-all-zones
  run fw.ufw P root ask_ufw 1 ufw status verbose
  run pkg.rpm P4 nobody - 0 rpm -qa --qf "$RPM_FORMAT"
  run fs.usage P any - 0 df -PTl
  run fs.block P any - 0 lsblk -nro NAME,TYPE,FSTYPE,MOUNTPOINT
  run mac.kysec P any ask_kysec 127 getstatus
  item shell.root_path_dirs P 'ls -ld ${PATH//:/ }' path_folders
  item pkg.versions P 'ssh -V; openssl version' versions
  item pkg.apt_security P 'apt list --upgradable (read from /var/lib/apt/lists/*security*)' apt_security
  if have rpm && [ -n "$(dnf_files '*updateinfo.xml*')" ]; then
    skip pkg.dnf_security 'sh 采集不解析 XML 格式的安全公告'
  else
    item pkg.dnf_security P4 'dnf updateinfo list --security (read from the cache)' dnf_security
  fi
  item secret.plaintext P "grep -rnE 'passw(or)?d|secret|token' <readable configuration>" plaintext_secrets
  scan
  now
  put Z "$up"
}

for needed in awk head tr od stat find sort timeout; do
  have "$needed" || { printf 'linux.sh: 没有 %s 命令，无法采集\n' "$needed" >&2; exit 127; }
done
kill_after='-k 1'
timeout -k 1 1 true 2>/dev/null || kill_after=''
set -f # a word is expanded to paths only where that is asked for
renice -n 10 -p $$ >/dev/null 2>&1 # the audited service goes first
shown='' filter='' probe=${PANSHI_PROBE-}
unset PANSHI_PROBE
uid=$(id -u)
T=$(od -An -v -tx1 -N16 /dev/urandom | tr -d ' \n')
RECORD="$T %f %u %g %s %Y %n"
collect 2>/dev/null | tr '\000' ' ' |
  awk -v TOKEN="$T" -v LIMIT="$item_limit" -v SPACE="$total_limit" "$LIB$RENDER"
