"""Rules for new passwords: strength, history and hash, as the password stack really applies them.

Sources: pam_pwquality(8), pwquality.conf(5), pam_cracklib(8), pam_passwdqc(8), pam_pwhistory(8), pwhistory.conf(5),
pam_unix(8). A module counts only when its refusal makes the whole stack refuse. libpwquality reads
``pwquality.conf.d/*.conf`` in ASCII order FIRST and ``pwquality.conf`` after them, so the single file wins over the
folder; module arguments win over both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from panshi.facts import logindefs, packages, pam
from panshi.facts.model import Facts

PWQUALITY, CRACKLIB, PASSWDQC = "pam_pwquality.so", "pam_cracklib.so", "pam_passwdqc.so"
PWHISTORY, UNIX = "pam_pwhistory.so", "pam_unix.so"
QUALITY_CONF = "/etc/security/pwquality.conf"
HISTORY_CONF = "/etc/security/pwhistory.conf"
CREDITS = ("dcredit", "ucredit", "lcredit", "ocredit")
# libpwquality since 1.4.0 (pwquality.conf(5)); before that it had the values of pam_cracklib(8).
_MODERN = {"difok": 1, "minlen": 8, **dict.fromkeys(CREDITS, 0)}
_CLASSIC = {"difok": 5, "minlen": 9, **dict.fromkeys(CREDITS, 1)}
_COMMON = {"minclass": 0, "dictcheck": 1, "usercheck": 1, "enforcing": 1, "enforce_for_root": 0, "local_users_only": 0}
_OTHER_KEYS = frozenset(
    ("maxrepeat", "maxclassrepeat", "maxsequence", "gecoscheck", "usersubstr", "retry", "badwords", "dictpath")
)
_FLAGS = frozenset(("enforce_for_root", "local_users_only"))
_SHORTEST = 6  # libpwquality raises a smaller minlen to this; cracklib's own limit is the same (pam_cracklib(8))
# pam_unix(8); the module takes the last one given.
_HASHES = ("md5", "bigcrypt", "sha256", "sha512", "blowfish", "gost_yescrypt", "yescrypt", "sm3")
_PASSWDQC_MIN = "disabled,24,11,8,7"  # pam_passwdqc(8): one class, two classes, passphrase, three, four classes


@dataclass(frozen=True, slots=True)
class Quality:
    """What one quality module demands of a new password.

    Args:
        min_length: the shortest password that can pass, after credits.
        classes: how many character classes it must have at least.
        for_root: whether root is refused too, not only warned.
        user_check: whether the user name in the password is refused.
        dict_check: whether dictionary words are refused.
        difok: characters that must differ from the old password.
        detail: the values behind ``min_length``, Chinese.
        place: the line of the stack.
        sources: setting -> where its value comes from, Chinese.
        needs_dictionary: whether the dictionary check needs cracklib's word list.
    """

    min_length: int
    classes: int
    for_root: bool
    user_check: bool
    dict_check: bool
    difok: int
    detail: str
    place: str
    sources: dict[str, str]
    needs_dictionary: bool = False


def stack(facts: Facts, service: str = "passwd") -> tuple[pam.Rule, ...]:
    """Return the resolved password stack."""
    return pam.stack(facts, service, "password")


def _reached(facts: Facts, rules: tuple[pam.Rule, ...], refusing: pam.Rule | None = None) -> pam.Walk:
    """Walk the password stack with one module refusing the new password and all others content."""

    def special(rule: pam.Rule) -> str:
        return "authtok_err" if refusing is not None and rule == refusing else ""

    return pam.walk(rules, pam.answer_for(pam.Scene(right=True), pam.modules(facts), special))


def binding(facts: Facts, *names: str) -> list[pam.Rule]:
    """Return the rules of these modules that run and whose refusal makes the password change fail."""
    rules = stack(facts)
    return [rule for rule in _reached(facts, rules).ran(*names) if not _reached(facts, rules, rule).granted]


def present_but_idle(facts: Facts, *names: str) -> list[pam.Rule]:
    """Return the rules of these modules that stand in the stack without effect."""
    active = set(binding(facts, *names))
    return [rule for rule in stack(facts) if rule.module in names and rule not in active]


def qualities(facts: Facts) -> list[Quality]:
    """Return what every effective quality module demands; an empty list means that any password is taken."""
    readers = {PWQUALITY: _pwquality, CRACKLIB: _cracklib, PASSWDQC: _passwdqc}
    found = (readers[rule.module](facts, rule) for rule in binding(facts, *readers))
    return [quality for quality in found if quality is not None]


def _modern(facts: Facts) -> bool:
    name = "libpwquality" if facts.family == "rpm" else "libpwquality1"
    installed = packages.installed(facts).get(name)
    return installed is None or packages.compare(facts.family, installed.version, "1.4.0") >= 0


def quality_settings(facts: Facts, rule: pam.Rule) -> tuple[dict[str, int], dict[str, str]]:
    """Return the values in force for a pam_pwquality line, and where each that is not built in comes from."""
    modern = _modern(facts)
    values = {**_COMMON, **(_MODERN if modern else _CLASSIC)}
    sources: dict[str, str] = {}
    files = [*(facts.glob(f"{QUALITY_CONF}.d/*.conf") if modern else ()), facts.file(QUALITY_CONF)]
    for item in files:
        for number, line in enumerate(item.out.splitlines() if item is not None else (), 1):
            words = re.split(r"[\s=]+", line.split("#", 1)[0].strip(), maxsplit=1)
            if not words[0]:
                continue
            if not _set(values, words[0].lower(), "".join(words[1:])):
                break  # the library stops reading a file at the first line that it does not understand
            sources[words[0].lower()] = f"{item.id[5:]} 第 {number} 行" if item is not None else ""
    for argument in rule.args:
        name, _, value = argument.partition("=")
        if _set(values, name.lower(), value):
            sources[name.lower()] = f"{rule.place}的参数"
    values["minlen"] = max(values["minlen"], _SHORTEST)
    return values, sources


def _set(values: dict[str, int], name: str, value: str) -> bool:
    """Set one value as libpwquality would; return whether it understands the line."""
    if name in _FLAGS:
        values[name] = 1
    elif name in values and re.fullmatch(r"-?\d+", value):
        values[name] = int(value)
    else:
        return name in _OTHER_KEYS
    return True


def shortest(values: dict[str, int]) -> int:
    """Return the length of the shortest password that libpwquality's length and class rules let pass.

    A positive credit makes up for one missing character per character of its class, up to the credit; a negative one
    demands that many characters of its class, which earn nothing.
    """
    demanded = sum(-values[name] for name in CREDITS if values[name] < 0)
    bonus = sum(values[name] for name in CREDITS if values[name] > 0)
    demanding = sum(values[name] < 0 for name in CREDITS)
    earning = sum(values[name] > 0 for name in CREDITS)
    further = max(0, values["minclass"] - demanding)
    idle = max(0, further - earning)
    length = max(1, demanded + further)
    while length + min(bonus, length - demanded - idle) < values["minlen"]:
        length += 1
    return length


def _by_credits(values: dict[str, int], dictionary: bool) -> tuple[int, int, str]:
    """Return shortest length, least number of classes, and the settings behind them."""
    words = [f"minlen={values['minlen']}", f"minclass={values['minclass']}"]
    words += [f"{name}={values[name]}" for name in CREDITS if values[name]]
    least = max(shortest(values), _SHORTEST if dictionary else 1)
    return least, max(values["minclass"], sum(values[name] < 0 for name in CREDITS)), " ".join(words)


def _pwquality(facts: Facts, rule: pam.Rule) -> Quality | None:
    values, sources = quality_settings(facts, rule)
    if not values["enforcing"]:
        return None
    length, classes, detail = _by_credits(values, bool(values["dictcheck"]))
    return Quality(
        min_length=length,
        classes=classes,
        for_root=bool(values["enforce_for_root"]),
        user_check=bool(values["usercheck"]),
        dict_check=bool(values["dictcheck"]),
        difok=values["difok"],
        detail=detail,
        place=rule.place,
        sources=sources,
        needs_dictionary=True,
    )


def _cracklib(facts: Facts, rule: pam.Rule) -> Quality:
    values = {**_CLASSIC, "minclass": 0}
    for argument in rule.args:
        name, _, value = argument.partition("=")
        if name in values and re.fullmatch(r"-?\d+", value):
            values[name] = int(value)
    values["minlen"] = max(values["minlen"], _SHORTEST)
    length, classes, detail = _by_credits(values, True)
    return Quality(
        min_length=length,
        classes=classes,
        for_root=rule.option("enforce_for_root") is not None,
        user_check=rule.option("reject_username") is not None,
        dict_check=True,
        difok=values["difok"],
        detail=detail,
        place=rule.place,
        sources={},
        needs_dictionary=True,
    )


def _passwdqc(facts: Facts, rule: pam.Rule) -> Quality | None:
    config = rule.option("config")
    settings = dict(argument.partition("=")[::2] for argument in rule.args)
    if config:
        lines = (line.split("#", 1)[0].strip() for line in facts.text(config).splitlines())
        settings = {**dict(line.partition("=")[::2] for line in lines if line), **settings}
    if settings.get("enforce") == "none":
        return None
    minimum = settings.get("min", _PASSWDQC_MIN)
    lengths = [int(word) if word.isdigit() else None for word in minimum.split(",")]
    # a passphrase (third place) may consist of one class of letters and blanks: it counts as two classes
    classes = {0: 1, 1: 2, 2: 2, 3: 3, 4: 4}
    allowed = [(length, classes[n]) for n, length in enumerate(lengths[:5]) if length is not None]
    return Quality(
        min_length=min((length for length, _ in allowed), default=0),
        classes=min((count for _, count in allowed), default=4),
        for_root=settings.get("enforce", "everyone") == "everyone",
        user_check=True,
        dict_check=True,
        difok=0 if settings.get("similar") == "permit" else 3,
        detail=f"passwdqc min={minimum}",
        place=rule.place,
        sources={},
    )


def unix_min_length(facts: Facts) -> tuple[int, str] | None:
    """Return pam_unix's own ``minlen=`` (it holds for everyone but root) and its line, None when there is none."""
    for rule in binding(facts, UNIX):
        value = rule.option("minlen")
        if value and value.isdigit():
            return int(value), f"pam_unix minlen={value}；{rule.place}的参数"
    return None


@dataclass(frozen=True, slots=True)
class History:
    """How many old passwords are refused, and which line says so."""

    remember: int
    source: str


def history(facts: Facts) -> History | None:
    """Return the strongest effective history rule, None when no module keeps a history."""
    found = [_pwhistory(facts, rule) for rule in binding(facts, PWHISTORY)]
    for rule in binding(facts, UNIX):
        value = rule.option("remember")
        if value and value.isdigit():
            found.append(History(int(value), f"{rule.place}的参数"))
    return max(found, key=lambda h: h.remember, default=None)


def _pwhistory(facts: Facts, rule: pam.Rule) -> History:
    argument = rule.option("remember")
    if argument is not None and argument.isdigit():
        return History(int(argument), f"{rule.place}的参数")
    conf = rule.option("conf") or HISTORY_CONF
    if _reads_history_conf(facts):
        for number, line in enumerate(facts.text(conf).splitlines(), 1):
            words = re.split(r"[\s=]+", line.split("#", 1)[0].strip())
            if words[0] == "remember" and len(words) > 1 and words[1].isdigit():
                return History(int(words[1]), f"{conf} 第 {number} 行")
    return History(10, "pam_pwhistory 内置默认值")


def _reads_history_conf(facts: Facts) -> bool:
    """Return whether pwhistory.conf counts: since Linux-PAM 1.5.3; rpm distributions that back-ported it ship it."""
    if facts.family == "rpm":
        return True
    installed = packages.installed(facts).get("libpam-modules")
    return installed is None or packages.compare_deb(installed.version, "1.5.3") >= 0


def hash_method(facts: Facts) -> tuple[str, str]:
    """Return the hash for new passwords, lower case, and where it comes from: pam_unix argument over login.defs."""
    for rule in _reached(facts, stack(facts)).ran(UNIX):
        chosen = [name for name in rule.args if name in _HASHES]
        if chosen:
            return chosen[-1], f"{rule.place}的参数"
    method = logindefs.text(facts, "ENCRYPT_METHOD").lower()
    return method or "des", logindefs.place(facts, "ENCRYPT_METHOD")
