"""An image is built again when, and only when, something that shapes it has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from panshi.lab import image
from panshi.lab.description import Lab
from panshi.lab.errors import LabError
from panshi.lab.image import Builder, digest, host_spec
from panshi.lab.podman import Podman
from panshi.lab.process import CommandError
from panshi.lab.state import State


def test_the_digest_follows_description_and_recipe(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = lab.hosts[0].image
    monkeypatch.setattr(image, "_RECIPES", tmp_path)
    (tmp_path / "common.sh").write_text("a", encoding="utf-8")
    (tmp_path / one.name / "root").mkdir(parents=True)
    own = tmp_path / one.name / "root" / "file"
    own.write_text("a", encoding="utf-8")
    seen = [digest(one), digest(replace(one, suite="trixie")), digest(replace(one, updates=False))]
    (tmp_path / "common.sh").write_text("b", encoding="utf-8")
    seen.append(digest(one))
    own.write_text("b", encoding="utf-8")
    seen.append(digest(one))
    assert len(set(seen)) == 5
    assert digest(one) == seen[-1]


def test_a_host_s_fingerprint_follows_name_address_and_key(lab: Lab) -> None:
    web = lab.hosts[0]
    changed = [replace(web, name="emu"), replace(web, address=lab.hosts[1].address)]
    specs = {host_spec(web, "key"), host_spec(web, "other"), *(host_spec(host, "key") for host in changed)}
    assert len(specs) == 4
    assert host_spec(web, "key") in specs


@pytest.mark.parametrize("host", ["web", "kernel"])
def test_a_failed_build_names_its_log_and_leaves_no_image(
    lab: Lab, host: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(argv: list[str], **_: object) -> str:
        raise CommandError(argv, "no space left")

    state = State(tmp_path)
    state.prepare()
    monkeypatch.setattr(image, "run", fail)
    with pytest.raises(LabError) as caught:
        Builder(state, Podman({})).build(lab.select([host])[0].image)
    assert caught.value.code == "PS-E2006"
    assert "no space left" in caught.value.message
    assert str(tmp_path / "logs") in caught.value.hint
    assert list(state.images.iterdir()) == []
