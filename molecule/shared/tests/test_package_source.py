"""A host whose packages come from the mirror: apt itself says from where, and takes nothing that is not signed."""

from __future__ import annotations

from testinfra.host import Host

SIGNED = "/srv/mirror/demo/prod/dists/stable/InRelease"


def test_real_apt_offers_the_package_of_the_mirror(host: Host) -> None:
    told = host.run("LC_ALL=C apt-cache policy panshi-demo").stdout
    assert "Candidate: 1.0" in told and "file:/srv/mirror/demo/prod stable/main" in told
    with host.sudo():
        host.run_expect([0], "apt-get -q -y -s install panshi-demo")


def test_real_source_that_is_to_go_is_gone(host: Host) -> None:
    assert not host.file("/etc/apt/sources.list.d/former.list").exists
    assert "/srv/former" not in host.run("apt-cache policy").stdout


def test_real_mirror_that_was_changed_after_its_signature_is_refused(host: Host) -> None:
    ask = "apt-get -q update --error-on=any"
    with host.sudo():
        host.run_expect([0], f"cp -p {SIGNED} /root/ && sed -i s/^Suite:.*/Suite:other/ {SIGNED}")
        broken = host.run(ask)
        host.run_expect([0], f"mv /root/InRelease {SIGNED}")
        mended = host.run(ask)
    assert broken.rc != 0 and "signature" in broken.stdout + broken.stderr
    assert mended.rc == 0, mended.stderr
