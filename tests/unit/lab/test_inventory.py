"""The inventory and the ssh configuration follow from the description alone."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import yaml

from panshi.inventory import load_estate
from panshi.lab.description import Lab, load
from panshi.lab.inventory import render_inventory, render_ssh_config
from panshi.lab.seed import ACCOUNTS
from panshi.lab.state import State

INVENTORY = Path(__file__).parents[3] / "inventories" / "lab"


def test_the_committed_inventory_is_what_the_description_gives() -> None:
    rendered = render_inventory(load(INVENTORY / "lab.yml"))
    assert (INVENTORY / "hosts.yml").read_text(encoding="utf-8") == rendered


def test_hub_is_no_target_of_the_audit_and_of_databases_the_product_alone() -> None:
    names = {host.name for host in load(INVENTORY / "lab.yml").hosts}
    targets = {host.name: host.targets for host in load_estate(INVENTORY).hosts}
    assert names - set(targets) == {"hub12", "vault1", "r1"}
    assert {targets[name] for name in ("db1", "db2")} == {("mysql",)}


def test_groups_follow_from_kind_and_emulation(lab: Lab) -> None:
    children = yaml.safe_load(render_inventory(lab))["all"]["children"]
    assert {name: set(group["hosts"]) for name, group in children.items()} == {
        "linux": {"web", "emu", "kernel"},
        "debian": {"web", "kernel"},
        "rpm": {"emu"},
        "container": {"web", "emu"},
        "vm": {"kernel"},
        "emulated": {"emu"},
    }


def test_a_host_outside_the_group_linux_is_no_target_of_the_jobs(lab: Lab) -> None:
    web, *others = lab.hosts
    text = render_inventory(replace(lab, hosts=(replace(web, groups=("hub",)), *others)))
    hosts = yaml.safe_load(text)["all"]["hosts"]
    assert [hosts[host.name].get("panshi_targets") for host in lab.hosts] == [[], None, None]


def test_host_that_shuts_out_who_works_every_day_has_another_account(lab: Lab, tmp_path: Path) -> None:
    web, *others = lab.hosts
    changed = replace(lab, hosts=(replace(web, user="rescue"), *others))
    hosts = yaml.safe_load(render_inventory(changed))["all"]["hosts"]
    assert [hosts[host.name].get("ansible_user") for host in changed.hosts] == ["rescue", None, None]
    lines = [line.split() for line in render_ssh_config(changed, State(tmp_path)).splitlines()]
    # ssh takes the first that fits: the host's own stands before everybody's
    assert [words[1] for words in lines if words[0] == "User"] == ["rescue", "ops"]


def test_a_routers_own_command_line_has_an_account_of_its_own(lab: Lab, tmp_path: Path) -> None:
    web, *others = lab.hosts
    changed = replace(lab, hosts=(replace(web, groups=("network",), platform="frr"), *others))
    hosts = yaml.safe_load(render_inventory(changed))["all"]["hosts"]
    assert (hosts["web"]["ansible_user"], hosts["web"]["ansible_network_os"]) == ("netops", "frr")
    assert hosts["web"]["panshi_targets"] == []  # no baseline is known for it
    assert "netops" not in render_ssh_config(changed, State(tmp_path))  # the lab itself looks after the host below


def test_the_second_way_in_is_the_other_account_of_every_image(lab: Lab) -> None:
    variables = yaml.safe_load(render_inventory(lab))["all"]["vars"]
    assert {variables["ansible_user"], variables["guard_second_way"]["user"]} == set(ACCOUNTS)
    assert variables["guard_second_way"]["key"] == variables["ansible_ssh_private_key_file"]


def test_the_host_key_check_stays_on_and_no_machine_path_is_written(lab: Lab) -> None:
    text = render_inventory(lab)
    variables = yaml.safe_load(text)["all"]["vars"]
    arguments = shlex.split(variables["ansible_ssh_common_args"])
    assert "StrictHostKeyChecking=yes" in arguments
    assert 'UserKnownHostsFile="{{ inventory_dir }}/.state/known_hosts"' in arguments
    assert str(Path.home()) not in text


def test_the_ssh_configuration_names_every_host_and_the_lab_key(lab: Lab) -> None:
    text = render_ssh_config(lab, State(Path("/a b/lab")))
    assert "Host web\n    HostName 192.0.2.11\n" in text
    assert '    IdentityFile "/a b/lab/id_ed25519"\n' in text
    assert "    StrictHostKeyChecking yes\n" in text
