"""8.1.4.1 c), 8.1.4.4 c): encrypted connections, from where they are taken."""

from __future__ import annotations

from panshi.checks.instances import database_check
from panshi.controls.params import Params
from panshi.facts.mysql import Instance, named
from panshi.verdict import Verdict, failed, judge, partial, passed


def _has_tls(instance: Instance) -> bool:
    # have_ssl went with 8.4: there a server without a certificate has none to show
    if instance.variable("have_ssl") is not None:
        return instance.on("have_ssl")
    return bool(instance.variable("ssl_cert"))


def _closed(instance: Instance) -> bool:
    return instance.on("skip_networking")


@database_check("mysql-require-tls")
def require_tls(instance: Instance, params: Params) -> Verdict:
    """Nobody talks to the server over the network in clear text."""
    if _closed(instance):
        return passed("skip_networking=ON", "不监听网络，只接受本机套接字")
    if not _has_tls(instance):
        return failed("服务端没有启用 TLS", "have_ssl 不为 YES，或没有证书")
    if instance.on("require_secure_transport"):
        return passed("require_secure_transport=ON", "未加密的网络连接一律拒绝")
    bare = [a for a in instance.people_and_programs() if not a.local and not a.tls]
    if bare:
        return failed(f"可以明文远程登录：{named(bare)}", "require_secure_transport=OFF，且账户没有 REQUIRE SSL")
    return partial("已有的远程账户均 REQUIRE SSL", "require_secure_transport=OFF：今后新建的账户不受约束")


@database_check("mysql-tls-version")
def tls_version(instance: Instance, params: Params) -> Verdict:
    """No protocol below TLS 1.2 is offered."""
    if not _has_tls(instance):
        return failed("服务端没有启用 TLS", "have_ssl 不为 YES，或没有证书")
    offered = [one.strip() for one in (instance.variable("tls_version") or "").split(",") if one.strip()]
    if not offered:
        return failed("tls_version 为空", "不限制协议版本，接受加密库支持的全部版本")
    return judge(params.accepts("mysql_tls_versions", offered), "、".join(offered), "SHOW VARIABLES LIKE 'tls_version'")


@database_check("mysql-bind-address")
def bind_address(instance: Instance, params: Params) -> Verdict:
    """The server listens where it was told to, not everywhere."""
    if _closed(instance):
        return passed("skip_networking=ON")
    listens = [one.strip() for one in (instance.variable("bind_address") or "*").split(",")]
    ok = params.accepts("mysql_bind_addresses", listens)
    return judge(ok, f"bind_address={'、'.join(listens)}", "" if ok else "通配地址：任何网卡都可连接")
