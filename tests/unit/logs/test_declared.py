"""Declared logs are understood whole or refused in one line, and logrotate's files follow from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from panshi.errors import PanshiError
from panshi.logs.declared import policies
from panshi.logs.steps import configuration, stanza, steps

ENVIRONMENTS = {
    "production": {"keep_days": 366, "legal": True},
    "test": {"keep_days": 30, "temporary_days": 7, "legal": False},
}
NGINX = {"name": "portal", "kind": "nginx", "paths": ["/var/log/nginx/access.log"]}
APP = {
    "name": "app",
    "kind": "reopen",
    "paths": ["/srv/app/log/app.log"],
    "reopen": {"signal": "USR1", "unit": "app.service"},
}


def made(*entries: Any) -> list[dict[str, Any]]:
    return policies(
        "web1",
        list(entries),
        environments=ENVIRONMENTS,
        legal_days=180,
        environment="production",
        mode="0640",
        group="adm",
    )


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"kind": "apache"}, "kind"),
        ({"name": "a/b"}, "name"),
        ({"paths": []}, "paths"),
        ({"paths": ["access.log"]}, "paths"),
        ({"paths": ["/var/log/../etc/passwd"]}, "paths"),
        ({"paths": ["/var/log/a.log {\n}\n"]}, "paths"),
        ({"paths": ["/var/log/mysql/*"]}, "通配符不能在末尾"),
        ({"paths": ["/var/log/nginx/access.log*"]}, "通配符不能在末尾"),
        ({"environment": "nowhere"}, "environment"),
        ({"keep_days": 179}, "短于法定的 180 天"),
        ({"unheard": 1}, "unheard"),
        ({"since": "yesterday"}, "since"),
        ({"period": "yearly"}, "period"),
        ({"max_size": "much"}, "max_size"),
        ({"owner": "a\n}"}, "owner"),
        ({"su": True}, "su"),
        ({"kind": "reopen"}, "reopen"),
        ({"kind": "reopen", "reopen": {"command": ["sh", "-c", "rm -rf /"]}}, "reopen"),
        ({"kind": "pipe"}, "owner、group"),
        ({"kind": "pipe", "owner": "a", "group": "a", "paths": ["/srv/*/x.log"]}, "不带通配符"),
        ({"kind": "temporary", "keep_days": 7, "paths": ["/etc/*"]}, "临时文件"),
        ({"kind": "temporary", "keep_days": 7, "paths": ["/*/x"]}, "临时文件"),
        ({"kind": "temporary", "keep_days": 7, "paths": ["/var/lib/*/*"]}, "临时文件"),
        ({"kind": "temporary", "keep_days": 7, "paths": ["/srv/*.tmp"]}, "临时文件"),
        ({"kind": "temporary", "keep_days": 7, "paths": ["/var/cache/app-*/x"]}, "临时文件"),
        ({"kind": "temporary", "paths": ["/tmp/app-*"]}, "keep_days"),
        ({"probe": {"url": "http://203.0.113.9/"}}, "probe"),
        ({"probe": {"command": ["mariadb"], "line": "SELECT 1"}}, "probe"),
    ],
)
def test_parsed_refused_in_one_line_that_says_where(change: dict[str, Any], word: str) -> None:
    with pytest.raises(PanshiError) as caught:
        made({**NGINX, **change})
    assert caught.value.code == "PS-E7320" and word in str(caught.value) and "web1" in str(caught.value)
    assert "\n" not in str(caught.value).split("；")[0]


@pytest.mark.parametrize("other", [{**NGINX, "name": "two"}, {**NGINX, "paths": ["/var/log/x.log"]}])
def test_parsed_the_same_twice_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(PanshiError, match="声明了两次"):
        made(NGINX, other)


def test_parsed_environments_keep_for_different_times() -> None:
    production, test = made(NGINX, {**APP, "environment": "test"})
    assert (production["keep_days"], production["legal_days"]) == (366, 180)
    assert (test["keep_days"], test["legal_days"]) == (30, 0)


def test_parsed_temporary_files_go_after_the_days_of_their_environment() -> None:
    entry = {"name": "up", "kind": "temporary", "paths": ["/tmp/app-*"], "environment": "test"}
    own = {**entry, "name": "own", "paths": ["/tmp/own-*"], "keep_days": 2}
    assert [(one["keep_days"], one["legal_days"]) for one in made(entry, own)] == [(7, 0), (2, 0)]


def test_parsed_logrotate_never_deletes_or_compresses_and_never_uses_a_name_twice() -> None:
    for policy in made(NGINX, APP, {"name": "out", "kind": "tomcat", "paths": ["/opt/t/logs/catalina.out"]}):
        text = stanza(policy)
        assert "rotate 9999" in text and "maxage" not in text and "nocompress" in text and "delaycompress" not in text
        assert "dateext" in text and "-%Y%m%d-%s" in text


def test_parsed_reopening_is_in_the_policy_and_its_failure_is_not_hidden() -> None:
    nginx, app = (stanza(one) for one in made(NGINX, APP))
    assert 'kill -USR1 "$(cat /run/nginx.pid)"' in nginx and "systemctl kill --signal=USR1 app.service" in app
    assert "|| true" not in nginx + app


def test_parsed_package_file_is_written_whole_and_own_files_have_a_name_of_their_own() -> None:
    assert [one["config"] for one in made(NGINX, APP)] == ["/etc/logrotate.d/nginx", "/etc/logrotate.d/panshi-log-app"]


def test_parsed_loss_of_copytruncate_is_said_before_anything_is_changed() -> None:
    out = {"name": "out", "kind": "tomcat", "paths": ["/opt/t/logs/catalina.out"]}
    said, step = steps(made(out))
    assert "会丢失" in said["left"]["why"] and "copytruncate" in step["file"]["content"]
    assert "postrotate" not in step["file"]["content"]


def test_parsed_what_the_host_is_told_has_no_probe() -> None:
    entry = {**NGINX, "probe": {"command": ["mariadb"], "line": "SELECT '{mark}';"}}
    assert "SELECT" not in configuration(made(entry), "/var/log/panshi-archive", 10)


@pytest.mark.parametrize("path", ["/tmp/app-*", "/var/tmp/*/part-*", "/srv/app/tmp/*", "/var/cache/app/*/x"])
def test_parsed_temporary_files_lie_where_only_such_are(path: str) -> None:
    assert made({"name": "t", "kind": "temporary", "keep_days": 7, "paths": [path]})[0]["paths"] == [path]


def test_parsed_example_of_the_runbook_is_accepted() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "runbook-logs.md").read_text(encoding="utf-8")
    declared = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])["logs_files"]
    defaults = {"production": {"keep_days": 366, "temporary_days": 30, "legal": True}}
    found = policies(
        "web1", declared, environments=defaults, legal_days=180, environment="production", mode="0640", group="adm"
    )
    assert [one["name"] for one in found] == [one["name"] for one in declared] and len(found) == 6
