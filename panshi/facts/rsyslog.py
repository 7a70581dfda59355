"""rsyslog: what really happens to a message of a given facility and priority.

Both languages of rsyslog.conf are read (selectors with ``$Directives``, and RainerScript), includes in place. The
answer comes from walking the configuration as the daemon does, so a ``stop`` or a later ``.none`` counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from panshi.facts.model import Facts

MAIN_FILE = "/etc/rsyslog.conf"
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"),
    *(f"local{number}" for number in range(8)),
)
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_ALIASES = {"panic": "emerg", "error": "err", "warn": "warning", "security": "auth"}
_LOOPBACK = re.compile(r"127\.|localhost$|\[?::1\]?$")
_FULL_TEMPLATES = frozenset(
    f"RSYSLOG_{name}Format" for name in ("File", "TraditionalFile", "Forward", "TraditionalForward", "SysklogdFile")
) | {"RSYSLOG_SyslogProtocol23Format", "RSYSLOG_DebugFormat"}
# Output modules that hand messages to another machine, with the transport that a reader knows them by.
_NETWORK_OUTPUTS = {"omfwd": "udp", "omrelp": "relp", "omkafka": "kafka", "omelasticsearch": "http", "omhttp": "http"}
_TLS_DRIVERS = frozenset({"gtls", "ossl", "mbedtls"})


@dataclass(frozen=True, slots=True)
class Action:
    """What rsyslog does with a message.

    Args:
        kind: file, forward, other (users, programs, databases) or stop.
        target: file path, or address of the receiver.
        source: file and line.
        protocol: of a forward: udp, tcp, relp, kafka or http.
        tls: whether the transport is encrypted and protected against change.
        verified: whether the receiver's certificate is checked as well.
        disk_queue: whether messages survive on disk while the receiver is away.
        template: name of the output template; "" is the module's default.
        mode: permissions with which a log file is created, as octal text; "" when not set.
    """

    kind: Literal["file", "forward", "other", "stop"]
    target: str = ""
    source: str = ""
    protocol: str = ""
    tls: bool = False
    verified: bool = False
    disk_queue: bool = False
    template: str = ""
    mode: str = ""

    @property
    def leaves_host(self) -> bool:
        """Whether the message goes to another machine."""
        return self.kind == "forward" and bool(self.target) and not _LOOPBACK.match(self.target)

    @property
    def text(self) -> str:
        """Return receiver and transport, or the file, for a verdict."""
        if self.kind != "forward":
            return self.target or self.kind
        return f"{self.target}（{self.protocol.upper()}{'+TLS' if self.tls else ''}）"


@dataclass(frozen=True, slots=True)
class Step:
    """A condition with what follows when it holds and when it does not."""

    condition: str = ""
    actions: tuple[Action, ...] = ()
    steps: tuple[Step, ...] = ()
    otherwise: tuple[Step, ...] = ()
    call: str = ""


@dataclass(slots=True)
class Rsyslog:
    """A whole configuration.

    Args:
        rulesets: steps by ruleset name; "" is the default one, which local messages take.
        modules: loaded modules in lower case (imuxsock, imjournal, omrelp …).
        file_template: default template of log files.
        templates: text of the configuration's own templates, by name.
        imfiles: files that rsyslog reads itself, with the ``facility`` and ``ruleset`` they are given.
        missing: included files that the collector did not bring.
    """

    rulesets: dict[str, list[Step]] = field(default_factory=lambda: {"": []})
    modules: set[str] = field(default_factory=set)
    file_template: str = "RSYSLOG_FileFormat"
    templates: dict[str, str] = field(default_factory=dict)
    imfiles: dict[str, tuple[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    @property
    def takes_local(self) -> bool:
        """Whether messages of local programs reach it."""
        return bool(self.modules & {"imuxsock", "imjournal"})

    def actions(self, facility: str, severity: str, ruleset: str = "") -> list[Action]:
        """Return what certainly happens to a message; conditions on its content count as not met.

        Args:
            facility: for example authpriv.
            severity: for example info.
            ruleset: where it starts; local messages start in the default one.
        """
        done: list[Action] = []
        self._walk(self.rulesets.get(ruleset, []), facility, SEVERITIES.index(severity), done, 0)
        return done

    def _walk(
        self, steps: list[Step] | tuple[Step, ...], facility: str, level: int, done: list[Action], depth: int
    ) -> bool:
        """Collect actions into ``done``; return True when the message was stopped."""
        for step in steps:
            answer = holds(step.condition, facility, level)
            if answer is None:
                continue
            for action in step.actions if answer else ():
                if action.kind == "stop":
                    return True
                done.append(action)
            body: list[Step] | tuple[Step, ...] = step.steps if answer else step.otherwise
            if answer and step.call and depth < 9:
                body = self.rulesets.get(step.call, [])
            if self._walk(body, facility, level, done, depth + 1):
                return True
        return False

    def every_action(self) -> list[Action]:
        """Return all actions of the configuration, whatever their conditions."""
        return [action for steps in self.rulesets.values() for action in _flatten(steps)]

    def is_full(self, template: str) -> bool:
        """Return whether a template writes a time stamp, the host and the program."""
        body = self.templates.get(template, "").lower()
        wanted = (
            r"time(stamp|reported|generated)|\$now|jsonmesg",
            r"hostname|fromhost|jsonmesg",
            r"syslogtag|programname|app-name|jsonmesg",
        )
        return template in _FULL_TEMPLATES or all(re.search(pattern, body) for pattern in wanted)


def _flatten(steps: list[Step] | tuple[Step, ...]) -> Iterator[Action]:
    for step in steps:
        yield from step.actions
        yield from _flatten(step.steps)
        yield from _flatten(step.otherwise)


# --- conditions --------------------------------------------------------------------------------------------------


def selector_mask(selector: str) -> dict[str, frozenset[int]]:
    """Return the severities (0 emerg … 7 debug) that a traditional selector takes, by facility.

    Args:
        selector: for example ``*.info;mail.none;authpriv.none``; later parts change earlier ones.
    """
    mask: dict[str, frozenset[int]] = dict.fromkeys(FACILITIES, frozenset())
    for part in re.sub(r"\s", "", selector).lower().split(";"):
        names, _, priority = part.rpartition(".")
        removes, levels = _levels(priority)
        for name in FACILITIES if names == "*" else names.split(","):
            known = _ALIASES.get(name, name)
            if known in mask:
                mask[known] = mask[known] - levels if removes else mask[known] | levels
    return mask


def _levels(priority: str) -> tuple[bool, frozenset[int]]:
    """Return whether a priority takes severities away, and which ones it names."""
    everything = frozenset(range(8))
    if priority == "none":
        return True, everything
    removes, rest = priority.startswith("!"), priority.removeprefix("!")
    exact, rest = rest.startswith("="), rest.removeprefix("=")
    if rest == "*":
        return removes, everything
    name = _ALIASES.get(rest, rest)
    if name not in SEVERITIES:
        return removes, frozenset()
    level = SEVERITIES.index(name)
    return removes, frozenset({level}) if exact else frozenset(range(level + 1))


def holds(condition: str, facility: str, level: int) -> bool | None:
    """Return whether a condition is met, None when that depends on more than facility and priority.

    Args:
        condition: "" (always), a traditional selector, or ``if`` with a RainerScript expression.
        facility: of the message.
        level: severity number of the message.
    """
    if not condition:
        return True
    if condition.startswith("if "):
        tokens = re.findall(r"\"[^\"]*\"|'[^']*'|[()]|[^\s()\"']+", condition[3:])
        return _either(tokens, facility, level)
    if condition.startswith(":"):
        return None
    return level in selector_mask(condition)[facility]


def _either(tokens: list[str], facility: str, level: int) -> bool | None:
    answers = [_both(tokens, facility, level)]
    while tokens and tokens[0] == "or":
        tokens.pop(0)
        answers.append(_both(tokens, facility, level))
    return True if True in answers else None if None in answers else False


def _both(tokens: list[str], facility: str, level: int) -> bool | None:
    answers = [_term(tokens, facility, level)]
    while tokens and tokens[0] == "and":
        tokens.pop(0)
        answers.append(_term(tokens, facility, level))
    return False if False in answers else None if None in answers else True


def _term(tokens: list[str], facility: str, level: int) -> bool | None:
    """Consume one operand: a bracket, a negation, ``prifilt("…")`` or a comparison."""
    if tokens and tokens[0] == "not":
        tokens.pop(0)
        inner = _term(tokens, facility, level)
        return None if inner is None else not inner
    if tokens and tokens[0] == "(":
        tokens.pop(0)
        inner = _either(tokens, facility, level)
        if tokens:
            tokens.pop(0)
        return inner
    words: list[str] = []
    depth = 0
    while tokens and (depth or tokens[0] not in ("and", "or", ")")):
        word = tokens.pop(0)
        depth += {"(": 1, ")": -1}.get(word, 0)
        words.append(word.strip("\"'"))
    return _compare(words, facility, level)


def _compare(words: list[str], facility: str, level: int) -> bool | None:
    if words[:2] == ["prifilt", "("] and len(words) == 4:
        return level in selector_mask(words[2])[facility]
    if len(words) != 3:
        return None
    name, operator, value = words
    if name == "$syslogfacility-text" and operator in ("==", "!="):
        return (_ALIASES.get(value, value) == facility) == (operator == "==")
    number = SEVERITIES.index(value) if value in SEVERITIES else int(value) if value.isdigit() else -1
    if name not in ("$syslogseverity", "$syslogseverity-text", "$syslogpriority") or number < 0:
        return None
    answers = {"==": level == number, "!=": level != number, "<=": level <= number, "<": level < number}
    return answers.get(operator, level >= number if operator == ">=" else level > number)


# --- reading -----------------------------------------------------------------------------------------------------

_OBJECT = re.compile(r"([a-z_]+)\s*\(", re.IGNORECASE)
_SELECTOR = re.compile(r"[\w*,]+\.[=!]*[\w*]+(?:\s*;\s*[\w*,]+\.[=!]*[\w*]+)*;?(?=[ \t])")
_PARAMETER = re.compile(r"([\w.]+)\s*=\s*(\"(?:\\.|[^\"\\])*\"|'[^']*'|\[[^\]]*\])")
_OBJECTS = frozenset(
    {"action", "module", "input", "template", "global", "include", "ruleset", "main_queue", "parser", "timezone"}
    | {"lookup_table", "dyn_stats", "percentile_stats", "ratelimit"}
)


def read(facts: Facts) -> Rsyslog | None:
    """Return the host's configuration, or None when there is no /etc/rsyslog.conf.

    Raises:
        FactMissing: when the main file was never looked for or could not be read.
    """
    main = facts.file(MAIN_FILE)
    if main is None:
        return None
    config = Rsyslog()
    _Reader(config, facts).read(main.out, MAIN_FILE)
    return config


class _Reader:
    """Walks the text of one file after another; legacy directives stay in force across files."""

    def __init__(self, config: Rsyslog, facts: Facts) -> None:
        self.config = config
        self.facts = facts
        self.directives: dict[str, str] = {}
        self.ruleset = ""
        self.text = self.path = ""
        self.at = 0

    def read(self, text: str, path: str) -> None:
        """Read one file into the configuration, then return to the file that included it."""
        outer = (self.text, self.path, self.at)
        self.text, self.path, self.at = _clean(text), path, 0
        while self._more():
            self._append(self._statement())
        self.text, self.path, self.at = outer

    def _append(self, step: Step | None) -> None:
        if step is not None:
            self.config.rulesets.setdefault(self.ruleset, []).append(step)

    @property
    def _source(self) -> str:
        return f"{self.path} 第 {self.text.count(chr(10), 0, self.at) + 1} 行"

    def _more(self) -> bool:
        rest = re.compile(r"\s*").match(self.text, self.at)
        self.at = rest.end() if rest else self.at
        return self.at < len(self.text)

    def _line(self) -> str:
        """Consume the rest of the line."""
        end = self.text.find("\n", self.at)
        end = len(self.text) if end < 0 else end
        line, self.at = self.text[self.at : end].strip(), end
        return line

    def _bracket(self) -> str:
        """Consume a balanced bracket at the position and return what is inside."""
        end = _closing(self.text, self.at)
        inside, self.at = self.text[self.at + 1 : end], end + 1
        return inside

    def _block(self) -> list[Step]:
        """Consume ``{ … }`` or one statement."""
        if not self._more():
            return []
        if self.text[self.at] != "{":
            step = self._statement()
            return [step] if step else []
        self.at += 1
        steps = []
        while self._more() and self.text[self.at] != "}":
            if step := self._statement():
                steps.append(step)
        self.at += 1
        return steps

    def _statement(self) -> Step | None:
        text, source = self.text, self._source
        if re.compile(r"if\b").match(text, self.at):
            return self._if()
        if match := re.compile(r"call\s+(\S+)").match(text, self.at):
            self.at = match.end()
            return Step(call=match[1])
        if re.compile(r"(set|unset|reset)\s+[$!.]").match(text, self.at):
            end = text.find(";", self.at)
            self.at = len(text) if end < 0 else end + 1
            return None
        if match := re.compile(r"(stop|continue)\b|~").match(text, self.at):
            self.at = match.end()
            return None if match[1] == "continue" else Step(actions=(Action("stop", source=source),))
        if (match := _OBJECT.match(text, self.at)) and match[1].lower() in _OBJECTS:
            self.at = match.end() - 1
            return self._object(match[1].lower(), _parameters(self._bracket()), source)
        if match := _SELECTOR.match(text, self.at):
            self.at = match.end()
            return self._filtered(match[0])
        if match := re.compile(r":[^\n]*?\"(?:\\.|[^\"\\])*\"(?=\s)").match(text, self.at):
            self.at = match.end()
            return self._filtered(match[0])
        self._directive_line()
        return None

    def _if(self) -> Step:
        match = re.compile(r"if\b((?:\"[^\"]*\"|'[^']*'|[^\"'])*?)\bthen\b").match(self.text, self.at)
        if match is None:
            self._line()
            return Step(condition=":unreadable")
        self.at = match.end()
        body = self._block()
        mark = re.compile(r"\s*else\b").match(self.text, self.at)
        otherwise: list[Step] = []
        if mark:
            self.at = mark.end()
            otherwise = self._block()
        return Step(condition=f"if {match[1].strip()}", steps=tuple(body), otherwise=tuple(otherwise))

    def _filtered(self, condition: str) -> Step:
        """Consume what follows a selector or property filter, with its ``&`` continuation lines."""
        steps: list[Step] = []
        while True:
            blank = re.compile(r"[ \t]*").match(self.text, self.at)
            self.at = blank.end() if blank else self.at
            if self.text[self.at : self.at + 1] == "{" or re.compile(r"(action\s*\(|stop\b|if\b|call\b)").match(
                self.text, self.at
            ):
                steps += self._block()
            else:
                source = self._source
                steps.append(Step(actions=(self._legacy_action(self._line(), source),)))
            following = re.compile(r"\s*&").match(self.text, self.at)
            if not following:
                return Step(condition=condition, steps=tuple(steps))
            self.at = following.end()

    def _directive_line(self) -> None:
        line = self._line()
        match = re.match(r"\$(\w+)\s+(.*)", line)
        if not match:
            return
        name, value = match[1].lower(), match[2].strip()
        if name == "includeconfig":
            self._include(value)
        elif name == "modload":
            self.config.modules.add(value.split(".so")[0].lower())
        elif name == "ruleset":
            self.ruleset = "" if value.lower() == "rsyslog_defaultruleset" else value
        elif name == "template":
            label, _, body = value.partition(",")
            self.config.templates[label.strip()] = body
        elif name == "actionfiledefaulttemplate":
            self.config.file_template = value
        elif name == "inputfilename":
            self.directives[name] = value
        elif name == "inputrunfilemonitor":
            facility = self.directives.get("inputfilefacility", "local0")
            self.config.imfiles[self.directives.get("inputfilename", "")] = (facility, "")
        else:
            self.directives[name] = value

    def _include(self, pattern: str, optional: bool = True) -> None:
        if pattern.endswith("/"):
            pattern += "*"
        found = [i for i in self.facts.glob(pattern) if i.ok and not i.id.rpartition("/")[2].startswith(".")]
        for item in found:
            self.read(item.out, item.id.removeprefix("file:"))
        if not found and not optional and not any(mark in pattern for mark in "*?["):
            self.config.missing.append(pattern)

    def _object(self, name: str, values: Mapping[str, str], source: str) -> Step | None:
        if name == "action":
            return Step(actions=(self._action(values, source),))
        if name == "include":
            self._include(values.get("file", ""), values.get("mode", "required") == "optional")
        elif name == "module":
            loaded = values.get("load", "").lower()
            self.config.modules.add(loaded)
            if loaded == "builtin:omfile" and "template" in values:
                self.config.file_template = values["template"]
            if loaded == "builtin:omfile" and "filecreatemode" in values:
                self.directives["filecreatemode"] = values["filecreatemode"]
        elif name == "global":
            self.directives.update(values)
        elif name == "template":
            body = values.get("string", "")
            if re.compile(r"\s*{").match(self.text, self.at):
                self._more()
                body = self._bracket()
            self.config.templates[values.get("name", "")] = body
        elif name == "input" and values.get("type", "").lower() == "imfile":
            self.config.imfiles[values.get("file", "")] = (values.get("facility", "local0"), values.get("ruleset", ""))
        elif name == "ruleset":
            self.config.rulesets[values.get("name", "")] = self._block()
        return None

    def _action(self, values: Mapping[str, str], source: str) -> Action:
        kind = values.get("type", "").lower()
        template = values.get("template", "")
        if kind == "omfile":
            target = values.get("file") or self.config.templates.get(values.get("dynafile", ""), "")
            mode = values.get("filecreatemode") or self.directives.get("filecreatemode", "")
            return Action("file", target, source, template=template or self.config.file_template, mode=mode)
        if kind not in _NETWORK_OUTPUTS:
            return Action("other", kind, source)
        protocol = values.get("protocol", "udp").lower() if kind == "omfwd" else _NETWORK_OUTPUTS[kind]
        driver = values.get("streamdriver") or self.directives.get("defaultnetstreamdriver", "")
        tls = kind == "omfwd" and protocol == "tcp" and driver in _TLS_DRIVERS and values.get("streamdrivermode") == "1"
        authentication = values.get("streamdriverauthmode", "anon")
        if kind == "omrelp":
            tls = values.get("tls", "off").lower() == "on"
            authentication = values.get("tls.authmode", "anon")
        if kind in ("omelasticsearch", "omhttp"):
            tls = values.get("usehttps", "off").lower() == "on"
            authentication = "anon" if values.get("skipverifyhost", "off").lower() == "on" else "name"
        queue = bool(values.get("queue.filename")) and values.get("queue.type", "direct").lower() != "direct"
        target = values.get("target") or values.get("server") or values.get("broker", "")
        verified = tls and authentication.lower() not in ("", "anon")
        return Action("forward", target, source, protocol, tls, verified, queue, template)

    def _legacy_action(self, line: str, source: str) -> Action:
        target, _, template = line.partition(";")
        target = target.strip()
        if target in ("~", "stop"):
            return Action("stop", source=source)
        if target.startswith(("/", "-/", "?")):
            path = self.config.templates.get(target[1:], "") if target.startswith("?") else target.lstrip("-")
            mode = self.directives.get("filecreatemode", "")
            return Action("file", path, source, template=template.strip() or self.config.file_template, mode=mode)
        if match := re.match(r"(@@?)(?:\([^)]*\))?(\[[^\]]+\]|[^:\s]+)", target):
            return self._legacy_forward("tcp" if match[1] == "@@" else "udp", match[2], source)
        if match := re.match(r":omrelp:(\[[^\]]+\]|[^:\s]+)", target):
            return Action("forward", match[1], source, "relp", disk_queue=self._take_queue())
        return Action("other", target, source)

    def _legacy_forward(self, protocol: str, target: str, source: str) -> Action:
        driver = self.directives.get("actionsendstreamdriver") or self.directives.get("defaultnetstreamdriver", "")
        mode = self.directives.get("actionsendstreamdrivermode", "0")
        tls = protocol == "tcp" and driver in _TLS_DRIVERS and mode == "1"
        verified = tls and self.directives.get("actionsendstreamdriverauthmode", "anon") not in ("", "anon")
        return Action("forward", target, source, protocol, tls, verified, self._take_queue())

    def _take_queue(self) -> bool:
        """Return whether a disk queue was prepared; rsyslog forgets the queue directives after one action."""
        kind = self.directives.pop("actionqueuetype", "direct").lower()
        return bool(self.directives.pop("actionqueuefilename", "")) and kind != "direct"


def _clean(text: str) -> str:
    """Take out comments, keeping line numbers, and join continued lines (numbers behind them are one lower each)."""
    text = re.sub(r"(?m)(?:^|(?<=\s))/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
    text = re.sub(r"(?m)^((?:\"[^\"\n]*\"|'[^'\n]*'|[^\"'\n])*?)(?:^|(?<=\s))#.*$", r"\1", text)
    return text.replace("\\\n", " ")


def _parameters(text: str) -> dict[str, str]:
    """Return the parameters of an object by lower-case name; of an array, the first element."""
    found = {}
    for name, value in _PARAMETER.findall(text):
        element = re.search(r"\"((?:\\.|[^\"\\])*)\"|'([^']*)'", value)
        found[name.lower()] = (element[1] or element[2] or "") if element else ""
    return found


def _closing(text: str, start: int) -> int:
    """Return the index of the bracket that closes the one at ``start``, quotes respected; the end if none does."""
    opening, closing = text[start], {"(": ")", "{": "}"}[text[start]]
    depth, quote, index = 0, "", start
    while index < len(text):
        char = text[index]
        if quote:
            index += char == "\\"
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in (opening, closing):
            depth += 1 if char == opening else -1
            if depth == 0:
                return index
        index += 1
    return len(text)
