"""What stands on a device's screen (pure): clean text, prompts, echoes, questions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from panshi.network.session.platforms import Platform

_ANY_NAME = r"[^\s<>\[\]()#]{1,250}"
_CUT_FROM = 20  # characters: IOS cuts a longer name in the prompt of its configuration mode
_HELD = re.compile(r"(?:\r[\r ]*|\x08+ *|\x1b(?:\[[\d;]*(?:D *(?:\x1b(?:\[\d*)?)?)?)?)\Z")
# A page's end is wiped out by going back, writing spaces, and going back; VRP also writes " \x1b[1D" before a line.
_WIPED = re.compile(r"\x1b\[(\d+)D +\x1b\[\1D|\x08+ +\x08+|\r +\r| \x1b\[1D")
_CONTROL = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|[\x00\x07\x08]")
_NEWLINE = re.compile(r"\r*\n|\r")
_QUESTION = {
    "yes_no": re.compile(
        r"[\[(] ?y(?:es|\(yes\))? ?/ ?n(?:o|\(no\))?(?:/[^\])]*\)?)? ?[\])](?: ?\[\w*\])? ?[:?]? *\Z", re.I
    ),
    "enter": re.compile(r"(?:\[confirm\]|press .*enter.*|file ?name.*(?:[\]?]|\)):?) ?[:?]? *\Z", re.I),
    "password": re.compile(r"password.*: *\Z", re.I),
}


class Cleaner:
    """Makes plain lines of what a device sends; a sequence that is not yet complete is held back."""

    def __init__(self) -> None:
        self._held = ""

    def clean(self, chunk: str) -> str:
        """Return what is complete of all text so far and was not returned yet."""
        text = _WIPED.sub("", self._held + chunk)
        cut = _HELD.search(text)
        self._held = cut[0] if cut else ""
        return _NEWLINE.sub("\n", _CONTROL.sub("", text[: cut.start()] if cut else text))


@dataclass(frozen=True, slots=True)
class Prompts:
    """The prompts of one device under the names that it may have.

    Args:
        any: either kind, at the beginning of a line.
        user: outside the configuration mode; its group ``name`` is what the device calls itself.
    """

    any: re.Pattern[str]
    user: re.Pattern[str]

    @classmethod
    def of(cls, platform: Platform, names: Iterable[str] = ()) -> Prompts:
        """Return the prompts for these names; for any name when there are none."""
        known = "|".join(f"{re.escape(name)}|{re.escape(name[:_CUT_FROM])}" for name in sorted(names))
        name = f"(?:{known or _ANY_NAME})"
        # Of any name there is only a user's prompt: nobody is in the configuration mode right after the log-in.
        either = f"{platform.user}|{platform.config}" if known else platform.user
        return cls(
            re.compile(f"^(?:{either.format(name=name)})", re.MULTILINE),
            re.compile(platform.user.format(name=f"(?P<name>{known or _ANY_NAME})")),
        )

    def name_in(self, prompt: str) -> str:
        """Return the name in a user's prompt, or an empty text."""
        found = self.user.fullmatch(prompt)
        return found["name"] if found else ""

    def at_end(self, text: str) -> str:
        """Return the prompt that a text ends in, or an empty text."""
        last = last_line(text).strip()
        return last if self.any.fullmatch(last) else ""


def last_line(text: str) -> str:
    """Return what follows the last line end."""
    return text[text.rfind("\n") + 1 :]


def question(text: str) -> str:
    """Return the kind of question that a text ends in: yes_no, enter, password; or an empty text."""
    last = last_line(text)
    return next((kind for kind, pattern in _QUESTION.items() if pattern.search(last)), "")


def find_echo(text: str, line: str) -> tuple[int, int] | None:
    """Return where the echo of a line begins and ends, also when the terminal has wrapped it."""
    at = text.find(line)
    if at >= 0:
        return at, at + len(line)
    if len(text) < len(line) or "\n" not in text:
        return None
    wrapped = re.search(r"\s*".join(re.escape(part) for part in line if not part.isspace()), text)
    return wrapped.span() if wrapped else None


def without_noise(text: str, platform: Platform) -> tuple[str, bool]:
    """Return a text without the lines that the device has written by itself, and whether there were any."""
    if not platform.noise.search(text):
        return text, False
    lines = text.split("\n")
    kept = [line for line in lines if not platform.noise.fullmatch(line.rstrip())]
    return "\n".join(kept), len(kept) < len(lines)


def refusal(output: str, platform: Platform) -> str:
    """Return the line of an output that says that a command was refused, or an empty text."""
    text, _ = without_noise(output, platform)
    found = [match[0].strip() for match in platform.error.finditer(text)]
    # Of a mark under the command and the words below it, the words.
    return found[-1] if found else ""
