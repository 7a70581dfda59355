"""Package sources of both families."""

from __future__ import annotations

from panshi.facts import Facts
from panshi.facts.repos import Source, loose_apt_settings, sources

DPKG = {"cmd": "dpkg-query", "out": "a\t1\tall\tinstall ok installed\ta\t1\n"}
RPM = {"cmd": "rpm", "out": "a\t1\tall\ta\t1\n"}


def debian(files: dict[str, str]) -> Facts:
    items = {f"file:/etc/apt/{name}": {"cmd": "cat", "out": text} for name, text in files.items()}
    return Facts({"items": {"pkg.dpkg": DPKG, **items}})


def rpm(conf: str, repo: str) -> list[Source]:
    items = {
        "pkg.rpm": RPM,
        "file:/etc/dnf/dnf.conf": {"cmd": "cat", "out": conf},
        "file:/etc/yum.repos.d/x.repo": {"cmd": "cat", "out": repo},
    }
    return sources(Facts({"globs": ["/etc/yum.conf"], "items": items}))


def test_parsed_one_line_sources() -> None:
    text = (
        "# deb http://a.example/debian bookworm main\n"
        "deb-src http://a.example/debian bookworm main\n"
        "deb http://a.example/debian bookworm main\n"
        "deb [arch=amd64 trusted=yes] http://a.example/security bookworm-security main\n"
    )
    found = sources(debian({"sources.list": text}))
    assert [(s.name, s.verified, s.security) for s in found] == [
        ("bookworm", True, False),
        ("bookworm-security", False, True),
    ]
    assert found[1].place == "/etc/apt/sources.list 第 4 行"


def test_parsed_deb822_sources() -> None:
    text = (
        "Types: deb deb-src\nURIs: http://a.example/debian\nSuites: trixie\n"
        " trixie-security\n# note\nComponents: main\n\n"
        "Types: deb\nURIs: http://b.example/\nSuites: ./\nEnabled: no\nTrusted: yes\n\n"
        "Types: deb\nURIs: http://c.example/\nSuites: ./\nTrusted: yes\n"
    )
    found = sources(debian({"sources.list.d/x.sources": text}))
    assert [(s.name, s.uri, s.verified) for s in found] == [
        ("trixie", "http://a.example/debian", True),
        ("trixie-security", "http://a.example/debian", True),
        ("./", "http://c.example/", False),
    ]


def test_parsed_apt_settings_that_admit_unsigned_packages() -> None:
    facts = debian(
        {
            "apt.conf.d/50x": 'APT::Get::AllowUnauthenticated "true";\n// Acquire::AllowInsecureRepositories "true";\n',
            "apt.conf.d/60y": 'Acquire { AllowInsecureRepositories "false"; AllowWeakRepositories yes; };\n',
        }
    )
    assert loose_apt_settings(facts) == [
        "AllowUnauthenticated（/etc/apt/apt.conf.d/50x）",
        "AllowWeakRepositories（/etc/apt/apt.conf.d/60y）",
    ]


def test_parsed_yum_repository_takes_the_main_section_unless_it_says_otherwise() -> None:
    repo = "[a]\nbaseurl=http://a.example/\n[b]\ngpgcheck=0\n[c]\nenabled=0\ngpgcheck=0\n"
    assert [(s.name, s.verified) for s in rpm("[main]\ngpgcheck=1\n", repo)] == [("a", True), ("b", False)]
    unset = rpm("[main]\n", "[a]\n")
    assert [(s.verified, s.why) for s in unset] == [(False, "gpgcheck 未设置（默认不校验）")]
