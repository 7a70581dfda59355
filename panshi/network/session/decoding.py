"""Bytes of a device to text, as they come (pure): a character may be split between two packets."""

from __future__ import annotations

import codecs

CHINESE = "gb18030"  # a superset of GBK and GB2312, which devices of Chinese vendors write


class Decoder:
    """Decodes a stream; without a declared encoding it takes UTF-8 until a byte proves that it is not.

    Args:
        declared: encoding; empty means that it is to be found out.
    """

    def __init__(self, declared: str = "") -> None:
        self.encoding = declared
        self._declared = bool(declared)
        self._inner = codecs.getincrementaldecoder(declared or "utf-8")("replace" if declared else "strict")

    def decode(self, chunk: bytes) -> str:
        """Return the text that is complete with this chunk; sets ``encoding`` once it is known."""
        if self._declared or self.encoding == CHINESE:
            return self._inner.decode(chunk)
        held, _ = self._inner.getstate()
        try:
            text = self._inner.decode(chunk)
        except UnicodeDecodeError:
            self.encoding = CHINESE
            self._inner = codecs.getincrementaldecoder(CHINESE)("replace")
            return self._inner.decode(held + chunk)
        if not text.isascii():
            self.encoding = "utf-8"
        return text
