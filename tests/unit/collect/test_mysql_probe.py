"""The probe of database servers: /proc and the client are emulated, the shell and both collectors are real."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from panshi.collect import linux
from panshi.collect.client import probe
from panshi.inventory import Host

from .test_sh_collector import replaced

# One whole item, and the same with a line that looks like another's beginning.
SAID = r"printf '%s I mysql.servers\n%s M P16\t1\tps\n%s B one\n{data}\n%s X %s rc 3\nwhy\n%s . 1\n' $T $T $T $T $T $T"
CLIENT = """#!/bin/sh
# Emulated: logs in where a word of its options is allowed, then gives each question one line, or an error.
for one; do echo "$one"; done >>{folder}/options
grep -qF -- "$(cat {folder}/allowed)" {folder}/options || { echo "ERROR 1045 (28000): Access denied"; exit 1; }
while read -r line || [ -n "$line" ]; do
  case $line in
    "SELECT @@version") printf '@@version\\n%s\\n' '{version}' ;;
    "SELECT '"*" Q "*) line=${line#*\\'}; printf '%s\\n%s\\n' "${line%\\';}" "${line%\\';}"; id=${line#* Q mysql.}
      case $id in
        plugins:*) echo "ERROR 1146 (42S02) at line 3: Table doesn't exist" ;;
        variables:*) printf 'Variable_name\\tValue\\nversion\\t10.11.6-MariaDB\\ndatadir\\t{folder}/data/\\n' ;;
        replication:*) printf 'Slave_IO_Running\\nYes\\n' ;;
        *) printf 'Name\\nanswer\\n' ;;
      esac ;;
  esac
done
"""


class Machine:
    """A host with one server, as the probe sees it."""

    def __init__(self, folder: Path, version: str = "10.11.6-MariaDB") -> None:
        self.folder = folder
        self.socket = folder / "s.sock"
        self.socket.touch()
        (folder / "data").mkdir()
        process = folder / "proc" / "77"
        (process / "fd").mkdir(parents=True)
        (process / "net").mkdir()
        (process / "comm").write_text("mariadbd\n")
        (process / "fd" / "5").symlink_to("socket:[4711]")
        (process / "net" / "unix").write_text(
            f"Num RefCount Protocol Flags Type St Inode Path\n0: 2 0 00010000 0001 01 4711 {self.socket}\n"
        )
        (process / "root").symlink_to("/")
        (folder / "bin").mkdir()
        (folder / "allowed").write_text("--user=root")
        client = folder / "bin" / "mariadb"
        client.write_text(CLIENT.replace("{folder}", str(folder)).replace("{version}", version))
        client.chmod(0o755)

    def text(self, defaults: str = "") -> str:
        """Return the probe that looks at this machine."""
        text = probe(Host(name="db1", address="x", targets=("mysql",), mysql_defaults_file=defaults))
        for old, new in (("/proc/[0-9]*", f"{self.folder}/proc/[0-9]*"), ("/root/.my.cnf", f"{self.folder}/my.cnf")):
            assert old in text
            text = text.replace(old, new)
        return (
            text.replace("/proc/$1", f"{self.folder}/proc/$1")
            .replace("/proc/$pid", f"{self.folder}/proc/$pid")
            .replace("folder#/proc/", f"folder#{self.folder}/proc/")
        )

    def items(self, defaults: str = "") -> dict[str, Any]:
        """Return what linux.py makes of it."""
        text = f"PATH={self.folder}/bin:$PATH\n{self.text(defaults)}"
        return collected(text)


def collected(text: str, shell: bool = False) -> dict[str, Any]:
    """Return the items of a probe, as one of the collectors takes them over."""
    if shell:
        source = replaced({"  all_files\n": ""})
        source = re.sub(
            r"(?m)^  (item|run|ask_shell|told=|printf .*told|shown=|root_path=|! nft|nft=).*$", "  :", source
        )
        environment = {"PATH": os.environ["PATH"], "PANSHI_PROBE": text}
        done = subprocess.run(["sh", "-c", source], env=environment, capture_output=True, check=True, timeout=60)
        document = json.loads(done.stdout)
        ours = {key: item for key, item in document["items"].items() if key.startswith("mysql.")}
        return {**ours, "skipped": document["skipped"]}
    collector = linux.Collector({"budget": 20, "item-limit": 262144, "total-limit": 4194304})
    with mock.patch.object(linux, "PROBE", text):
        collector.start(linux.PROBED)
        collector.poll(collector.all_done)
    return {**collector.items, "skipped": collector.skipped}


def test_hosts_without_the_target_are_sent_nothing() -> None:
    assert probe(Host(name="web1", address="192.0.2.2")) == ""


def test_emulated_server_is_asked_and_an_error_is_that_of_its_question(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    items = machine.items()
    assert items["skipped"] == []
    row = items["mysql.servers"]["out"].rstrip("\n").split("\t")
    assert (row[0], *row[2:5]) == ("77", "mariadbd", str(machine.socket), "10.11.6-MariaDB")
    assert items[f"mysql.databases:{machine.socket}"]["out"] == "answer\n"
    assert items[f"mysql.replication:{machine.socket}"]["out"] == "Slave_IO_Running\nYes\n"
    assert "Variable_name" not in items[f"mysql.variables:{machine.socket}"]["out"]
    plugins = items[f"mysql.plugins:{machine.socket}"]
    assert (plugins["rc"], plugins["out"]) == (1, "")
    assert "1146" in plugins["err"]
    assert str(tmp_path / "data") in items[f"mysql.files:{machine.socket}"]["out"]


def test_emulated_refused_login_says_the_servers_words(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "allowed").write_text("nobody at all")
    items = machine.items()
    assert "ERROR 1045 (28000): Access denied" in items["mysql.servers"]["out"]
    assert set(items) == {"mysql.servers", "skipped"}


def test_emulated_declared_file_is_the_only_way_that_is_tried(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "my.cnf").write_text("[client]\n")
    (tmp_path / "allowed").write_text("nobody at all")
    machine.items("/etc/panshi-mysql.cnf")
    tried = (tmp_path / "options").read_text().splitlines()
    assert "--defaults-file=/etc/panshi-mysql.cnf" in tried
    assert "--user=root" not in tried
    (tmp_path / "options").unlink()
    machine.items()
    tried = (tmp_path / "options").read_text().splitlines()
    assert tried.index(f"--defaults-file={tmp_path}/my.cnf") < tried.index("--user=root")


@pytest.mark.parametrize("version", ["8.0.36", "5.7.44-log", "8.4.3", "10.3.39-MariaDB", "11.4.4-MariaDB-log"])
def test_emulated_dialects_are_told_by_the_version(tmp_path: Path, version: str) -> None:
    items = Machine(tmp_path, version).items()
    asked = {name.partition(":")[0] for name in items}
    assert ("mysql.components" in asked) == version.startswith("8")
    assert ("mysql.roles" in asked) == (not version.startswith("5"))
    columns = next(item for name, item in items.items() if name.startswith("mysql.columns"))
    assert columns["rc"] == (0 if version.startswith("8") else 1)


def test_emulated_no_server_is_said(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "proc/77/comm").write_text("nginx\n")
    servers = machine.items()["mysql.servers"]
    assert (servers["rc"], servers["err"]) == (1, "没有运行中的 mysqld 或 mariadbd 进程")


@pytest.mark.parametrize("shell", [False, True])
@pytest.mark.parametrize("data", ["two", "T I mysql.x"])
def test_real_collectors_take_over_what_a_probe_says_and_no_more(shell: bool, data: str) -> None:
    items = collected(SAID.replace("{data}", data), shell)
    assert set(items) == {"mysql.servers", "skipped"}
    taken = items["mysql.servers"]
    assert (taken["cmd"], taken["rc"], taken["out"].strip(), taken["err"]) == ("ps", 3, f"one\n{data}", "why")


@pytest.mark.parametrize("shell", [False, True])
def test_real_probe_that_dies_in_the_middle_is_skipped_with_a_reason(shell: bool) -> None:
    items = collected(SAID.partition("%s X")[0] + "' $T $T $T; kill -9 $$", shell)
    assert "mysql.servers" not in items
    assert [one["id"] for one in items["skipped"]] == ["mysql.servers"]
