"""The zip file: the same members give the same bytes, and every reader sees the same members.

Written here and not by `zipfile`: fixed dates and rights, members stored one after the other and not compressed (what a
compressor makes of the same bytes differs between versions), no extra fields, no comments. That is all the verifier
accepts, so that nothing can hide in what one reader sees and another does not.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from lineage.errors import UsageError

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_NEEDS, _MADE_BY_UNIX = 20, 3 << 8 | 20
_TIME, _DATE = 0, 0 << 9 | 1 << 5 | 1  # midnight of 1980-01-01, the first that the format can say
_REGULAR = 0o100644 << 16
_MOST = 1 << 30


def archive(members: Mapping[str, bytes]) -> bytes:
    """A zip file (APPNOTE 6.3, without ZIP64) of these members, in this order.

    Args:
        members: contents by name; names are ASCII, with ``/`` between directories.

    Raises:
        UsageError: ``BUNDLE_TOO_LARGE``, more than a gibibyte together.
    """
    if sum(map(len, members.values())) > _MOST:
        raise UsageError(
            "the case is too large for a bundle",
            code="BUNDLE_TOO_LARGE",
            cause=f"its files have more than {_MOST >> 20} MiB together",
            hint="ask about one origin: --origin TEXT",
        )
    body, directory, at = [], [], 0
    for name, content in members.items():
        raw = name.encode("ascii")
        crc, size = zlib.crc32(content), len(content)
        body += [_LOCAL.pack(b"PK\3\4", _NEEDS, 0, 0, _TIME, _DATE, crc, size, size, len(raw), 0), raw, content]
        directory.append(
            _CENTRAL.pack(
                b"PK\1\2",
                _MADE_BY_UNIX,
                _NEEDS,
                0,
                0,
                _TIME,
                _DATE,
                crc,
                size,
                size,
                len(raw),
                0,
                0,
                0,
                0,
                _REGULAR,
                at,
            )
            + raw
        )
        at += _LOCAL.size + len(raw) + size
    listed = b"".join(directory)
    end = _END.pack(b"PK\5\6", 0, 0, len(members), len(members), len(listed), at, 0)
    return b"".join([*body, listed, end])
