"""Whether the kernel has nf_tables, found out without loading it: both collectors, the same kernels."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from panshi.collect import linux

from .test_sh_collector import SOURCE, TOOLS, collect, folder, replaced

__all__ = ["folder"]
BUILTIN = f"/lib/modules/{os.uname().release}/modules.builtin"
CONFIG = "/proc/config.gz"
KALLSYMS = "/proc/kallsyms"
MODULES = "/proc/modules"
# name: (what the kernel's files say, whether it has nf_tables)
KERNELS = {
    "module loaded": ({MODULES: "nf_tables 372736 0 - Live 0x0\n"}, True),
    "only a module that begins alike": (
        {MODULES: "nf_tables_set 4096 0 - Live 0x0\n", BUILTIN: "kernel/a.ko\n"},
        False,
    ),
    "built in, with its list": ({BUILTIN: "kernel/net/netfilter/nf_tables.ko\n"}, True),
    "a module that is not loaded": ({BUILTIN: "kernel/a.ko\n", CONFIG: "CONFIG_NF_TABLES=y\n"}, False),
    "built in, container": ({CONFIG: "CONFIG_NF_TABLES=y\n"}, True),
    "a module that is not loaded, container": ({CONFIG: "CONFIG_NF_TABLES=m\n", KALLSYMS: "0 t nft_do_chain\n"}, False),
    "built in, no configuration": ({KALLSYMS: "0 T open\n0 t nf_tables_newrule\n0 T close\n"}, True),
    "without it, no configuration": ({KALLSYMS: "0 T open\n0 T nft_do_chain_later\n"}, False),
    "nothing to read": ({}, False),
}


def content(path: str, text: str) -> bytes:
    return gzip.compress(text.encode()) if path.endswith(".gz") else text.encode()


@pytest.mark.parametrize("kernel", KERNELS)
def test_parsed_python_collector_tells_whether_the_kernel_has_nf_tables(
    kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, expected = KERNELS[kernel]

    def read_raw(path: str, limit: int, offset: int = 0) -> bytes:
        if path not in files:
            raise OSError(path)
        return content(path, files[path])

    monkeypatch.setattr(linux, "read_raw", read_raw)
    monkeypatch.setattr("os.path.isdir", lambda path: False)
    assert linux.nft_loaded() is expected
    assert (linux.ask_nft(linux.Host()) == "") is expected


@pytest.mark.parametrize("kernel", KERNELS)
def test_parsed_sh_collector_tells_whether_the_kernel_has_nf_tables(kernel: str, folder: Path) -> None:
    files, expected = KERNELS[kernel]
    for path, text in files.items():
        (folder / Path(path).name).write_bytes(content(path, text))
    nft = folder / "nft"
    nft.write_text("#!/bin/sh\necho table inet real\n")
    nft.chmod(0o755)
    source = replaced(
        {
            "/lib/modules/$(uname -r)/modules.builtin": f"{folder}/modules.builtin",
            "'^nf_tables ' /proc/modules": f"'^nf_tables ' {folder}/modules",
            "/sys/module/nf_tables": f"{folder}/none",
            CONFIG: f"{folder}/config.gz",
            KALLSYMS: f"{folder}/kallsyms",
        },
        SOURCE.replace(" P root ask_nft ", " P any ask_nft "),
    )
    item = collect(source, path=f"{folder}:{TOOLS}")["items"]["fw.nft"]
    assert (item["rc"], item["out"] == "table inet real\n") == (0, expected)
