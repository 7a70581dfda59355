"""Hashes of passwords as crypt(3) makes them. Standard library, Python 3.6 and later."""

import ctypes

# Names that the library has had; the newer one is first on systems without the old interface.
_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")


def crypt(value: str, setting: str) -> str:
    """Return the hash of a password by the method and salt of a setting or a hash; empty where that is not known."""
    for name in _LIBRARIES:
        try:
            function = ctypes.CDLL(name).crypt
        except OSError:
            continue
        function.restype = ctypes.c_char_p
        made = (function(value.encode(), setting.encode()) or b"").decode("ascii", "replace")
        # A failure is told by a star that no hash begins with (crypt(3)).
        return "" if made.startswith("*") else made
    return ""
