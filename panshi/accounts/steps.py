"""The steps for ``panshi_change`` that bring a host's accounts to what is declared (pure)."""

from __future__ import annotations

from typing import Any

from panshi.accounts.declared import PURPOSE_ZH, User
from panshi.accounts.judge import SHUT, Account, Seen, closed_from
from panshi.accounts.keys import key_of, line_of

Step = dict[str, Any]
HEADER = "# Written by Panshi, role accounts: these keys are declared in accounts_users."
# Every process of a user number that is not dead already, by the kernel's own list: there need be no procps.
_PROCESSES = r"""# every process of a user number
list() {
  for status in /proc/[0-9]*/status; do
    { state=
      while read -r key a b c d _; do
        case $key in
          State:) state=$a ;;
          Uid:)
            [ "$state" = Z ] || case " $a $b $c $d " in *" $1 "*) echo "$status" | cut -d / -f 3 ;; esac
            break
            ;;
        esac
      done <"$status"; } 2>/dev/null
  done
}
"""
# The account is shut out before this, so nothing new can log in; what forks meanwhile is met by the next round.
_END = (
    _PROCESSES
    + r"""
loginctl terminate-user "$2" 2>/dev/null
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  pids=$(list "$1")
  [ -n "$pids" ] || exit 0
  kill -KILL $pids 2>/dev/null
  sleep 0.2
done
echo "still there: $pids" >&2
exit 1
"""
)
_ENDED = _PROCESSES + '[ -z "$(list "$1")" ]'


def before_sudo(seen: Seen) -> list[Step]:
    """Return the steps that come before the file with sudo's grants: groups, accounts, keys."""
    steps: list[Step] = [
        {"title": f"组 {group.name}", "group": {"name": group.name, **_given(gid=group.gid)}}
        for group in seen.declared.groups
    ]
    present = [user for user in seen.declared.users if not user.leaves]
    roles = sorted({user.role for user in present if user.role})
    groups = [seen.options.role_groups[role] for role in roles]
    steps += [{"title": f"组 {name}", "group": {"name": name}} for name in groups]
    for user in present:
        if user.name not in seen.state["elsewhere"]:
            steps += _present(seen, user)
    return steps


def after_sudo(seen: Seen) -> list[Step]:
    """Return the steps that come after it: who has left, and, where the estate wants it, whom nobody has declared."""
    steps: list[Step] = []
    for user in seen.declared.users:
        one = seen.accounts.get(user.name)
        if user.leaves and one is not None:
            steps += _leaver(seen, user, one)
    for one in seen.undeclared if seen.options.lock_undeclared else ():
        title = f"未声明的账户 {one.name} 锁定"
        steps.append({"title": title, "account": {"name": one.name, "locked": True, "expires": SHUT}})
    return steps


def sudo_rules(seen: Seen) -> list[dict[str, Any]]:
    """Return the lines of the file with sudo's grants: user, runas, password, commands."""
    users = [user for user in seen.declared.users if not user.leaves and user.name not in seen.state["elsewhere"]]
    return [{"user": user.name, **rule} for user in users for rule in seen.rules_of(user)]


def _present(seen: Seen, user: User) -> list[Step]:
    one = seen.accounts.get(user.name)
    home = str(one.raw["home"]) if one else user.home or f"/home/{user.name}"
    title = f"{PURPOSE_ZH[user.purpose]}账户 {user.name}（{'、'.join(user.owners) or '没有责任人'}）"
    account: dict[str, Any] = {
        "name": user.name,
        "shell": user.shell,
        "home": home,
        "comment": f"{'、'.join(user.owners) or '没有责任人'} {PURPOSE_ZH[user.purpose]} {user.request}",
        "groups": seen.groups_of(user),
        "append": "groups" not in seen.options.withdraw,
        "expires": closed_from(user.expires),
        **_given(uid=None if one else user.uid),
    }
    if one is None or one.raw["password"] != "set":
        # A password that does not exist would still expire, and close the account to its keys.
        account["password_ages"] = {"max": 99999}
    steps: list[Step] = [{"title": title, "account": account}]
    return steps + _keys(seen, user, one, home, title)


def _keys(seen: Seen, user: User, one: Account | None, home: str, title: str) -> list[Step]:
    """Return the steps for the file of keys: the declared ones, and those that nobody has opted to withdraw."""
    files = list(one.raw["key_files"]) if one else []
    pattern = str(seen.state["key_pattern"])
    known = {"%%": "%", "%h": home, "%u": user.name}
    path = pattern
    for token, value in known.items():
        path = path.replace(token, value)
    path = files[0]["path"] if files else path if path.startswith("/") else f"{home}/{path}"
    withdraw = "keys" in seen.options.withdraw
    if not user.keys and not (withdraw and one and one.keys):
        return []
    if "%U" in path or (pattern == "none" and not files):
        # A user number is not known before the account exists: the next run writes the keys.
        return []
    if files and files[0]["kind"] == "other":
        # What a link leads to is not this account's alone.
        return []
    declared = {key.public.fingerprint for key in user.keys}
    others = [line for line in _lines(files[:1]) if line != HEADER and _print(line) not in declared]
    kept = [line for line in others if not withdraw or _looked_after(user, line)]
    content = "".join(f"{line}\n" for line in (HEADER, *(line_of(key.public, key.expires) for key in user.keys), *kept))
    inside = path.startswith(f"{home}/")
    own = (
        {"owner": user.name, "group": one.raw["gid"] if one else user.name}
        if inside
        else {"owner": "root", "group": "root"}
    )
    steps: list[Step] = []
    if inside:
        folder = {"path": path.rpartition("/")[0], "state": "directory", "mode": "0700", **own}
        steps.append({"title": f"{title}的 SSH 目录", "file": folder})
    file = {"path": path, "content": content, "mode": "0600" if inside else "0644", **own}
    steps.append({"title": f"{title}的公钥", "file": file})
    if withdraw:
        besides = [file for file in files[1:] if not any(_looked_after(user, line) for line in file["lines"])]
        paths = [file["path"] for file in besides if file["kind"] != "absent"]
        steps += [{"title": f"{title}的另一公钥文件", "file": {"path": one, "state": "absent"}} for one in paths]
    return steps


def _leaver(seen: Seen, user: User, one: Account) -> list[Step]:
    title = f"离岗账户 {user.name}（{'、'.join(user.owners) or '没有责任人'}）"
    left = seen.state["leavers"][user.name]
    account = {"name": user.name, "locked": True, "shell": seen.state["nologin"], "groups": [], "append": False}
    if not one.expired(seen.today):
        account["expires"] = SHUT
    files = [file["path"] for file in one.raw["key_files"] if file["kind"] != "absent"]
    files += [path for key in ("crontabs", "at", "linger") for path in left[key]]
    steps: list[Step] = [{"title": f"{title}锁定、到期、退出各组", "account": account}]
    steps += [{"title": f"{title}的公钥与定时任务", "file": {"path": path, "state": "absent"}} for path in files]
    uid = str(one.raw["uid"])
    ended = {"argv": ["sh", "-c", _END, "sh", uid, user.name], "unless": ["sh", "-c", _ENDED, "sh", uid], "timeout": 60}
    return [*steps, {"title": f"{title}的会话与进程结束", "command": {**ended, "when": "always"}}]


def _lines(files: list[dict[str, Any]]) -> list[str]:
    return [str(line) for file in files for line in file["lines"]]


def _looked_after(user: User, line: str) -> bool:
    """Return whether a line holds a key that rotation looks after: neither removed nor brought back here."""
    key = key_of(line)
    return user.rotated and key is not None and key.rotated


def _print(line: str) -> str:
    key = key_of(line)
    return key.fingerprint if key else ""


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
