from __future__ import annotations

import pytest

from panshi.facts import Facts, shell


def host(out: str = "TMOUT=600\nUMASK=0027\nHISTCONTROL=\n", **files: str) -> Facts:
    items = {f"file:{path}": {"cmd": "cat", "out": text} for path, text in files.items()}
    items["shell.login"] = {"cmd": "bash -lc", "out": out}
    return Facts({"globs": ["/etc/*"], "items": items})


def test_parsed_variables() -> None:
    assert shell.variables(host(), shell.LOGIN) == {"TMOUT": "600", "UMASK": "0027", "HISTCONTROL": ""}


@pytest.mark.parametrize(("out", "value"), [("TMOUT=600", 600), ("TMOUT=", None), ("TMOUT=10m", None), ("X=1", None)])
def test_parsed_number(out: str, value: int | None) -> None:
    assert shell.number(host(out), shell.LOGIN, "TMOUT") == value


def test_parsed_place_is_the_last_assignment() -> None:
    files = {
        "/etc/profile": "# TMOUT=1\nTMOUT=300; export TMOUT\n",
        "/etc/profile.d/zz.sh": "NOTMOUT=1\nreadonly TMOUT=600\n",
        "/etc/profile.d/zz.csh": "TMOUT=9\n",
    }
    assert shell.places(host(**files), "TMOUT") == ["/etc/profile 第 2 行", "/etc/profile.d/zz.sh 第 2 行"]
    assert shell.place(host(**files), "TMOUT") == "/etc/profile.d/zz.sh 第 2 行"
    assert "均未设置 TMOUT" in shell.place(host(), "TMOUT")
