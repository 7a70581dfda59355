"""Random configurations of each platform, written as its devices show them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

Lines = st.SearchStrategy[list[str]]
PERMIT = ["tcp", "udp", "ip"]
NAMES = ["p1", "p2", "p3", "p4", "p5"]


def some(*settings: Sequence[str]) -> Lines:
    """Of each setting one of its forms, or none; a string is a setting with one form."""
    forms = [st.sampled_from(["", *([setting] if isinstance(setting, str) else setting)]) for setting in settings]
    return st.tuples(*forms).map(lambda chosen: [line for line in chosen if line])


def view(line: str, inside: Lines) -> Lines:
    """A view that is always shown."""
    return inside.map(lambda lines: [line, *(" " + one for one in lines)])


def maybe(block: Lines) -> Lines:
    """A block that may be absent."""
    return st.one_of(st.just([]), block)


def entries(head: str, contents: Sequence[str], step: int = 5) -> Lines:
    """Numbered entries, each content at most once."""
    numbers = st.lists(st.integers(1, 12).map(lambda number: number * step), max_size=4, unique=True).map(sorted)
    chosen = st.lists(st.sampled_from(contents), min_size=4, max_size=4, unique=True)
    return st.tuples(numbers, chosen).map(
        lambda both: [f"{head}{number} {content}" for number, content in zip(*both, strict=False)]
    )


def spaced(head: str, tail: str = "", low: int = 2, high: int = 30) -> Lines:
    """A set of numbers as ``2 4 to 7``; nothing for the empty set."""
    return st.sets(st.integers(low, high), max_size=20).map(
        lambda numbers: [f"{head} {runs(numbers, ' to ', ' ')}{tail}"] if numbers else []
    )


def comma(head: str) -> Lines:
    """A set of numbers as ``2,4-7``; two neighbours stay apart."""
    return st.sets(st.integers(2, 30), max_size=20).map(
        lambda numbers: [f"{head} {runs(numbers, '-', ',')}"] if numbers else []
    )


def runs(numbers: set[int], between: str, separator: str) -> str:
    """Return numbers with neighbours joined."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1].append(number)
        else:
            found.append([number])
    pair = separator if between == "-" else between
    return separator.join(
        str(run[0]) if len(run) == 1 else f"{run[0]}{between if len(run) > 2 else pair}{run[-1]}" for run in found
    )


def joined(*parts: Lines) -> Lines:
    """Parts one after the other."""
    return st.tuples(*parts).map(lambda found: [line for part in found for line in part])


def policy(heads: Sequence[str], inside: Lines) -> Lines:
    """Rules in any order, each with its conditions."""

    def rule(head: str) -> Lines:
        return view(head, inside)

    order = st.permutations(list(heads)).flatmap(lambda order: st.sampled_from([order[:n] for n in range(len(order))]))
    return order.flatmap(lambda chosen: joined(*(rule(head) for head in chosen)))


VRP_RULES = [
    "permit tcp source 192.0.2.0 0.0.0.255 destination-port eq 22",
    "deny udp",
    "permit ip source 198.51.100.0 0.0.0.255",
    "deny ip",
    "permit icmp",
]
IOS_ENTRIES = [
    "permit tcp 192.0.2.0 0.0.0.255 any eq 22",
    "deny udp any any",
    "permit ip 198.51.100.0 0.0.0.255 any",
    "deny ip any any",
    "permit icmp any any",
]
VRP_INTERFACE = joined(
    some(
        ("description 办公区 接入", "description uplink"),
        ("ip address 192.0.2.1 255.255.255.0", "ip address 198.51.100.1 255.255.255.0"),
        "shutdown",
        ("port link-type trunk", "port link-type access", "port link-type hybrid"),
        ("port default vlan 10", "port default vlan 20"),
        ("port trunk pvid vlan 5", "port trunk pvid vlan 6"),
        "port-security enable",
        "storm-control broadcast min-rate 100 max-rate 200",
        ("traffic-filter inbound acl 3000", "traffic-filter inbound acl 3001"),
        ("stp edged-port enable", "stp edged-port disable"),
        "stp bpdu-filter enable",
    ),
    spaced("port trunk allow-pass vlan"),
    spaced("port hybrid tagged vlan"),
)
VRP_POLICY = policy(
    [f"rule name {name}" for name in NAMES],
    some(
        ("description a", "description b"),
        "source-zone trust",
        "source-zone dmz",
        "destination-zone untrust",
        "source-address 192.0.2.0 mask 255.255.255.0",
        "source-address 198.51.100.0 mask 255.255.255.0",
        "service http",
        "service https",
        "service protocol tcp destination-port 8443",
        "policy logging",
        "disable",
        ("action permit", "action deny"),
    ),
)
VRP = joined(
    some(
        ("sysname SW1", "sysname SW2"),
        ("clock timezone BJ add 08:00:00", "clock timezone UTC add 00:00:00"),
        "undo info-center enable",
        "stelnet server enable",
        ("user-interface maximum-vty 10", "user-interface maximum-vty 15"),
        "configuration file auto-save interval 60",
        ("ssh server timeout 60", "ssh server timeout 90"),
        "ntp-service unicast-server 192.0.2.10",
        "ntp-service unicast-server 192.0.2.11",
        "info-center loghost 192.0.2.20",
        ("info-center loghost 192.0.2.21 facility local1", "info-center loghost 192.0.2.21"),
        ("snmp-agent sys-info contact ops", "snmp-agent sys-info contact noc"),
        "ip route-static 0.0.0.0 0.0.0.0 192.0.2.254",
        "ip route-static 203.0.113.0 255.255.255.0 192.0.2.253",
        ('header login information "authorized only"', 'header login information "go away"'),
        ("stp mode rstp", "stp mode stp"),
        "undo http server enable",
    ),
    spaced("vlan batch"),
    maybe(view("acl number 3000", entries("rule ", VRP_RULES))),
    maybe(view("acl number 3001", entries("rule ", VRP_RULES))),
    view(
        "aaa",
        some(
            "local-user a password irreversible-cipher $1c$aaaa$bbbb$cccc",
            ("local-user a privilege level 15", "local-user a privilege level 3"),
            ("local-user a service-type ssh", "local-user a service-type terminal ssh"),
            "local-user b password irreversible-cipher $1c$dddd$eeee$ffff",
        ),
    ),
    view("interface GigabitEthernet0/0/1", VRP_INTERFACE),
    view("interface GigabitEthernet0/0/2", VRP_INTERFACE),
    maybe(view("interface LoopBack0", some("description a", "ip address 203.0.113.1 255.255.255.255"))),
    view(
        "user-interface vty 0 4",
        some(
            ("acl 2000 inbound", "acl 2001 inbound"),
            ("acl ipv6 2000 inbound", "acl ipv6 2001 inbound"),
            ("authentication-mode aaa", "authentication-mode password"),
            ("protocol inbound ssh", "protocol inbound all"),
            ("idle-timeout 5 0", "idle-timeout 3 0"),
        ),
    ),
    maybe(
        view(
            "ip address-set servers type object",
            entries("address ", ["192.0.2.1 0", "192.0.2.2 0", "range 192.0.2.9 192.0.2.12", "192.0.2.64 mask 26"], 1),
        )
    ),
    view("security-policy", joined(some("default action permit"), VRP_POLICY)),
)
COMWARE_INTERFACE = joined(
    some(
        "port link-mode bridge",
        ("description 办公区 接入", "description uplink"),
        ("port link-type trunk", "port link-type hybrid"),
        ("port access vlan 10", "port access vlan 20"),
        ("port trunk pvid vlan 5", "port trunk pvid vlan 6"),
        "shutdown",
        ("packet-filter 3000 inbound", "packet-filter 3001 inbound"),
        "stp edged-port",
    ),
    spaced("port trunk permit vlan"),
)
COMWARE = joined(
    some(
        ("sysname SW1", "sysname SW2"),
        ("clock timezone BJ add 08:00:00", "clock timezone UTC add 00:00:00"),
        "undo info-center enable",
        "ssh server enable",
        "ntp-service enable",
        "ntp-service unicast-server 192.0.2.10",
        "ntp-service unicast-server 192.0.2.11",
        ("info-center loghost 192.0.2.21 facility local1", "info-center loghost 192.0.2.21"),
        ("snmp-agent sys-info contact ops", "snmp-agent sys-info contact noc"),
        "ip route-static 0.0.0.0 0 192.0.2.254",
        "password-control enable",
        ("stp mode rstp", "stp mode stp"),
    ),
    maybe(view("vlan 10", some(("name a", "name b"), "description x"))),
    maybe(view("vlan 20", some())),
    maybe(view("acl advanced 3000", entries("rule ", VRP_RULES))),
    maybe(view("acl advanced 3001", entries("rule ", VRP_RULES))),
    maybe(
        view(
            "local-user a class manage",
            some(
                "password hash $h$6$aaaa$bbbb",
                "service-type ssh",
                "authorization-attribute user-role network-admin",
                ("access-limit 2", "access-limit 3"),
            ),
        )
    ),
    view("interface GigabitEthernet1/0/1", COMWARE_INTERFACE),
    view("interface GigabitEthernet1/0/2", COMWARE_INTERFACE),
    view(
        "line vty 0 63",
        some(
            ("acl 2000 inbound", "acl 2001 inbound"),
            ("authentication-mode scheme", "authentication-mode password"),
            ("protocol inbound ssh", "protocol inbound all"),
            ("idle-timeout 5 0", "idle-timeout 3 0"),
        ),
    ),
    maybe(
        view(
            "object-group ip address servers",
            entries(
                "",
                [
                    "network host address 192.0.2.1",
                    "network host address 192.0.2.2",
                    "network subnet 192.0.2.64 255.255.255.192",
                    "network range 192.0.2.9 192.0.2.12",
                ],
                10,
            ),
        )
    ),
    view(
        "security-policy ip",
        policy(
            [f"rule {number} name {name}" for number, name in enumerate(NAMES)],
            some(
                ("description a", "description b"),
                "source-zone Trust",
                "source-zone DMZ",
                "destination-zone Untrust",
                "source-ip-subnet 192.0.2.0 255.255.255.0",
                "source-ip servers",
                "service http",
                "service https",
                "logging enable",
                "disable",
                "action pass",
            ),
        ),
    ),
)
IOS_INTERFACE = joined(
    some(
        ("description 办公区 接入", "description uplink"),
        "no switchport",
        ("switchport mode trunk", "switchport mode access"),
        ("switchport access vlan 10", "switchport access vlan 20"),
        ("switchport trunk native vlan 5", "switchport trunk native vlan 6"),
        ("ip address 192.0.2.1 255.255.255.0", "ip address 198.51.100.1 255.255.255.0"),
        "shutdown",
        "spanning-tree portfast",
        "no ip proxy-arp",
    ),
    comma("switchport trunk allowed vlan"),
)
IOS = joined(
    some(
        ("hostname R1", "hostname R2"),
        "service password-encryption",
        "aaa new-model",
        ("clock timezone CST 8 0", "clock timezone UTC 0 0"),
        "no ip domain lookup",
        "no ip http server",
        ("ip domain name a.example", "ip domain name b.example"),
        "ip ssh version 2",
        "username a privilege 15 secret 9 $9$aaaa$bbbb",
        "username b privilege 15 secret 9 $9$cccc$dddd",
        ("enable secret 9 $9$aaaa", "enable secret 9 $9$bbbb"),
        "ntp server 192.0.2.10",
        ("ntp server 192.0.2.11 prefer", "ntp server 192.0.2.11"),
        "logging host 192.0.2.20",
        ("logging trap warnings", "logging trap notifications"),
        "snmp-server community aaaa RO 10",
        ("snmp-server location a", "snmp-server location b"),
        "ip route 0.0.0.0 0.0.0.0 192.0.2.254",
        "ip route 203.0.113.0 255.255.255.0 192.0.2.253",
    ),
    maybe(view("vlan 10", some(("name a", "name b")))),
    maybe(view("vlan 20", some())),
    maybe(view("ip access-list extended A", entries("", IOS_ENTRIES))),
    maybe(view("ip access-list extended B", entries("", IOS_ENTRIES))),
    view("interface GigabitEthernet0/1", IOS_INTERFACE),
    view("interface GigabitEthernet0/2", IOS_INTERFACE),
    maybe(view("interface Loopback0", some("description a", "ip address 203.0.113.1 255.255.255.255"))),
    view(
        "line vty 0 4",
        some(
            ("access-class 10 in", "access-class 11 in"),
            ("transport input ssh", "transport input telnet ssh"),
            ("exec-timeout 5 0", "exec-timeout 3 0"),
            ("login local", "login authentication a"),
        ),
    ),
)
PLATFORMS: dict[str, st.SearchStrategy[str]] = {
    name: lines.map(lambda found: "\n".join(found) + "\n")
    for name, lines in {
        "huawei_vrp": VRP,
        "huawei_vrpv8": VRP,
        "hp_comware": COMWARE,
        "cisco_ios": IOS,
    }.items()
}
# RGOS keeps MD5 hashes [K].
PLATFORMS["ruijie_os"] = PLATFORMS["cisco_ios"].map(lambda text: text.replace("secret 9 $9$", "secret 5 $1$"))
