"""The mirror host before its first update: programs that read their configuration, and a web server that answers."""

from __future__ import annotations

from testinfra.host import Host


def test_real_web_server_gives_out_what_is_public(host: Host) -> None:
    with host.sudo():
        host.run_expect([0], "touch /srv/panshi-mirror/public/probe")
        said = host.run(
            "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8081/probe\").status)'"
        )
        host.run_expect([0], "rm /srv/panshi-mirror/public/probe")
    assert said.stdout.strip() == "200", said.stderr


def test_real_aptly_takes_its_configuration(host: Host) -> None:
    done = host.run("aptly -config=/srv/panshi-mirror/aptly.json config show")
    assert done.rc == 0 and '"linkMethod": "hardlink"' in done.stdout, done.stderr


def test_real_dnf_can_fetch_whole_repositories(host: Host) -> None:
    assert host.run("dnf --releasever=1 reposync --help").rc == 0
