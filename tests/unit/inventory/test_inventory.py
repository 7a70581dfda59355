"""Estates read by Ansible's own code, without any host."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from panshi.errors import PanshiError
from panshi.inventory import Estate, load_estate, parse_ssh_arguments

HOSTS = {
    "all": {
        "vars": {"ansible_user": "ops", "mlps_a": "estate", "mlps_b": "estate", "mlps_c": "estate"},
        "hosts": {
            "web1": {"ansible_host": "192.0.2.11", "mlps_c": "host"},
            "web2": {"ansible_host": "192.0.2.12", "ansible_port": 2222},
            "db1": {"ansible_host": "192.0.2.21"},
        },
        "children": {
            "web": {"hosts": {"web1": None, "web2": None}, "vars": {"mlps_b": "group", "mlps_c": "group"}},
            "db": {"hosts": {"db1": None}},
        },
    }
}


def write(folder: Path, content: object, name: str = "hosts.yml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def code_of(*arguments: object) -> PanshiError:
    with pytest.raises(PanshiError) as caught:
        load_estate(*arguments)  # type: ignore[arg-type]
    return caught.value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "bureau", HOSTS)


def names(estate: Estate) -> list[str]:
    return [host.name for host in estate.hosts]


def test_parsed_hosts_with_connection_and_groups(folder: Path) -> None:
    estate = load_estate(folder)
    web1, web2 = estate.hosts[0], estate.hosts[1]
    assert (estate.name, names(estate)) == ("bureau", ["web1", "web2", "db1"])
    assert (web1.address, web1.port, web1.user, web1.groups) == ("192.0.2.11", 22, "ops", ("web",))
    assert web2.port == 2222


def test_parsed_overrides_follow_ansible_precedence(folder: Path) -> None:
    web1, web2, db1 = load_estate(folder).hosts
    assert web1.variables == {"mlps_a": "estate", "mlps_b": "group", "mlps_c": "host"}
    assert web2.variables["mlps_c"] == "group"
    assert db1.variables["mlps_b"] == "estate"


def test_parsed_group_vars_folder_and_templates(folder: Path) -> None:
    write(folder / "group_vars", {"site": "A", "mlps_d": "{{ site }}-1", "mlps_e": [1, "{{ site }}"]}, "web.yml")
    variables = load_estate(folder, "web1").hosts[0].variables
    assert (variables["mlps_d"], variables["mlps_e"]) == ("A-1", [1, "A"])
    assert type(variables["mlps_d"]) is str


def test_parsed_vaulted_value_with_password_file(folder: Path, tmp_path: Path) -> None:
    from ansible.parsing.vault import VaultLib, VaultSecret

    secret = VaultLib([("default", VaultSecret(b"vault-pass"))]).encrypt("s3cret").decode()
    body = "\n".join("    " + line for line in secret.splitlines())
    write(folder / "group_vars", f"ansible_become_password: !vault |\n{body}\n", "all.yml")
    password = tmp_path / "vault.txt"
    password.write_text("vault-pass\n")
    host = load_estate(folder, "web1", [password]).hosts[0]
    assert host.become_password == "s3cret"
    assert "s3cret" not in repr(host)
    assert code_of(folder, "web1").code == "PS-E1005"
    password.write_text("wrong\n")
    assert code_of(folder, "web1", [password]).code == "PS-E1005"


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("web", ["web1", "web2"]), ("all:!web", ["db1"]), ("web1,db1", ["web1", "db1"]), ("~web[12]", ["web1", "web2"])],
)
def test_parsed_limit_patterns(folder: Path, limit: str, expected: list[str]) -> None:
    assert names(load_estate(folder, limit)) == expected


@pytest.mark.parametrize("limit", ["web9", "web1,web9", "web:!web", "web:&db", "!nobody"])
def test_parsed_limit_that_names_nothing_is_refused(
    folder: Path, limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(folder, limit).code == "PS-E1003"
    assert capsys.readouterr().err == ""


def test_parsed_missing_inventory(tmp_path: Path) -> None:
    assert code_of(tmp_path / "nowhere").code == "PS-E1001"


@pytest.mark.parametrize(
    ("text", "line"),
    [("all:\n  hosts:\n    a: {x: [1\n    b:\n", "第 "), ("all:\n  hosts:\n\tweb1:\n", "第 3 行"), ("- a\n- b\n", "")],
)
def test_parsed_malformed_yaml_names_file_and_line(tmp_path: Path, text: str, line: str) -> None:
    error = code_of(write(tmp_path / "e", text))
    assert error.code == "PS-E1002"
    assert "hosts.yml" in error.message or line == ""
    assert line in error.message
    assert "\n" not in str(error)


def test_parsed_one_broken_file_of_several_is_not_skipped(folder: Path) -> None:
    write(folder, "all: [", "more.yml")
    assert code_of(folder).code == "PS-E1002"


def test_parsed_estate_data_beside_the_inventory_is_not_inventory(folder: Path) -> None:
    write(folder, {"waivers": []}, "waivers.yml")
    write(folder, {"name": "x", "hosts": {"ghost": {}}}, "lab.yml")
    assert "ghost" not in names(load_estate(folder))


def test_parsed_empty_inventory(tmp_path: Path) -> None:
    assert code_of(write(tmp_path / "e", "all:\n  hosts: {}\n")).code == "PS-E1004"


def test_parsed_undefined_variable_names_host_and_variable(folder: Path) -> None:
    write(folder / "host_vars", {"ansible_host": "{{ no_such }}"}, "db1.yml")
    error = code_of(folder)
    assert error.code == "PS-E1005"
    assert "db1" in error.message
    assert "ansible_host" in error.message


@pytest.mark.parametrize(
    "variables",
    [
        {"ansible_port": "ssh"},
        {"ansible_port": 70000},
        {"ansible_become": "perhaps"},
        {"ansible_ssh_common_args": "-o X=1 --nonsense"},
        {"ansible_ssh_common_args": "host.example"},
        {"ansible_ssh_common_args": "'unfinished"},
        {"panshi_estate": "../../etc"},
        {"panshi_estate": "another"},
    ],
)
def test_parsed_unusable_connection_variable(folder: Path, variables: dict[str, object]) -> None:
    write(folder / "host_vars", variables, "db1.yml")
    assert code_of(folder).code == "PS-E1006"


def test_parsed_duplicate_address_is_a_warning(folder: Path) -> None:
    write(folder / "host_vars", {"ansible_host": "192.0.2.11"}, "db1.yml")
    (warning,) = load_estate(folder).warnings
    assert "web1、db1" in warning
    assert load_estate(folder, "web").warnings == ()


def test_parsed_estate_name_from_the_variable(folder: Path) -> None:
    write(folder / "group_vars", {"panshi_estate": "city-cloud"}, "all.yml")
    assert load_estate(folder / "hosts.yml").name == "city-cloud"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-o StrictHostKeyChecking=yes", {"stricthostkeychecking": "yes"}),
        ("-oPort=22 -o 'User ops'", {"port": "22", "user": "ops"}),
        ("-o A=1 -o A=2", {"a": "1"}),
        (
            "-J jump.example -F /x/config -p 2200",
            {"proxyjump": "jump.example", "configfile": "/x/config", "port": "2200"},
        ),
        ("-C -q -o ProxyCommand='ssh -W %h:%p jump.example'", {"proxycommand": "ssh -W %h:%p jump.example"}),
        ("", {}),
    ],
)
def test_parsed_ssh_arguments(text: str, expected: dict[str, str]) -> None:
    assert parse_ssh_arguments(text) == expected


def test_parsed_ssh_arguments_reach_the_host(folder: Path) -> None:
    write(
        folder / "group_vars",
        {"ansible_ssh_common_args": "-o UserKnownHostsFile=/k -o Port=2022", "ansible_ssh_extra_args": "-o Port=9"},
        "all.yml",
    )
    web1 = load_estate(folder).hosts[0]
    assert (web1.ssh_options["userknownhostsfile"], web1.port) == ("/k", 2022)


def test_parsed_a_host_that_is_said_to_have_no_targets_is_left_out(tmp_path: Path) -> None:
    hosts = {"web1": {}, "hub": {"panshi_targets": []}, "old": {"panshi_targets": None}}
    folder = write(tmp_path / "bureau", {"all": {"hosts": hosts}})
    estate = load_estate(folder)
    assert [(host.name, host.targets) for host in estate.hosts] == [("web1", ("linux",)), ("old", ("linux",))]
    refused = code_of(folder, "hub")
    assert (refused.code, "panshi_targets" in refused.message) == ("PS-E1003", True)
