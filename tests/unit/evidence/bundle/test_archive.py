"""The zip file: the same bytes for the same members, and no trick of the format gets past the verifier's reader."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.errors import UsageError
from lineage.evidence.bundle import archive as module
from lineage.evidence.bundle.archive import archive
from lineage.evidence.bundle.verify import Wrong, members

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(/[a-z0-9]{1,8})?\.json", fullmatch=True)
TWO = {"a.txt": b"one" * 20, "b.txt": b"two" * 20}


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(NAMES, st.binary(max_size=300), min_size=1, max_size=6))
def test_every_reader_finds_the_same_members(content: dict[str, bytes]) -> None:
    made = archive(content)
    assert made == archive(dict(content))
    assert members(made) == content
    with zipfile.ZipFile(io.BytesIO(made)) as file:
        assert {name: file.read(name) for name in file.namelist()} == content
        assert file.testzip() is None


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_changed_byte_gets_past(data: st.DataObject) -> None:
    made = bytearray(archive(TWO))
    at = data.draw(st.integers(0, len(made) - 1))
    made[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Wrong):
        if members(bytes(made)) == TWO:  # the version that is needed to unpack says nothing about the content
            raise Wrong("nothing was changed that is read")


def test_a_file_cut_short_or_continued_is_refused() -> None:
    made = archive(TWO)
    for size in range(len(made)):
        with pytest.raises(Wrong):
            members(made[:size])
    for tail in (b"\0", b"x" * 30, made):
        with pytest.raises(Wrong):
            members(made + tail)
        with pytest.raises(Wrong):
            members(tail + made)


def _library(*entries: tuple[zipfile.ZipInfo, bytes], comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for info, content in entries:
            file.writestr(info, content)
        file.comment = comment
    return out.getvalue()


def _info(name: str, *, mode: int = 0o100644, method: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.create_system, info.compress_type = mode << 16, 3, method
    return info


def test_what_other_programs_write_is_read_when_it_is_plain() -> None:
    made = _library((_info("a.txt", method=zipfile.ZIP_DEFLATED), b"one" * 99), (_info("b.txt"), b"two"))
    assert members(made) == {"a.txt": b"one" * 99, "b.txt": b"two"}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names",
    [("a.txt", "a.txt"), ("a.txt", "A.TXT"), ("../a.txt",), ("/etc/passwd",), ("a/../../b",), ("a\\b",), ("c:a",), ("a.txt/",),
     ("a\u202e.txt",), ("é.txt",), (".hidden",), ("a" * 2000,), ("a/b/c",), ("a\nb",)],
)  # fmt: skip
def test_names_that_lie_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(Wrong):
        members(_library(*((_info(name), b"x") for name in names)))


@pytest.mark.parametrize("mode", [0o120777, 0o040755, 0o100755, 0o060644, 0])
def test_only_plain_files_are_members(mode: int) -> None:
    with pytest.raises(Wrong):
        members(_library((_info("a.txt", mode=mode), b"target")))


def test_comments_and_extra_fields_are_refused() -> None:
    info = _info("a.txt")
    info.comment = b"c"
    extra = _info("a.txt")
    extra.extra = struct.pack("<HH2s", 0x9999, 2, b"xx")
    for made in (_library((_info("a.txt"), b"x"), comment=b"c"), _library((info, b"x")), _library((extra, b"x"))):
        with pytest.raises(Wrong):
            members(made)


def test_a_directory_that_contradicts_the_members_is_refused() -> None:
    made = archive(TWO)
    for old, new in ((b"a.txt", b"c.txt"), (b"b.txt", b"a.txt")):
        for number in (1, 2):
            parts = made.split(old)
            changed = old.join(parts[:number]) + new + old.join(parts[number:])
            with pytest.raises(Wrong):
                members(changed)


def test_something_between_members_is_refused() -> None:
    first, second = archive({"a.txt": b"one"}), archive(TWO)
    hidden = b"PK\3\4hidden"
    for made in (first, second):
        at = made.index(b"PK\1\2")
        end = made[at:]
        start = struct.unpack_from("<L", end, len(end) - 6)[0]
        moved = end[: len(end) - 6] + struct.pack("<L", start + len(hidden)) + end[-2:]
        with pytest.raises(Wrong):
            members(made[:at] + hidden + moved)


def test_sizes_that_are_not_true_cost_nothing() -> None:
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(bytes(50_000_000)) + packed.flush()

    def bomb(plain: int) -> bytes:
        name, crc = b"a.txt", zlib.crc32(b"")
        local = module._LOCAL.pack(b"PK\3\4", 20, 0, 8, 0, 33, crc, len(body), plain, len(name), 0) + name
        central = module._CENTRAL.pack(
            b"PK\1\2", 788, 20, 0, 8, 0, 33, crc, len(body), plain, 5, 0, 0, 0, 0, 0o100644 << 16, 0
        )
        end = module._END.pack(b"PK\5\6", 0, 0, 1, 1, len(central) + 5, len(local) + len(body), 0)
        return local + body + central + name + end

    for plain in (10, 2**31, 2**32 - 1):
        with pytest.raises(Wrong):
            members(bomb(plain))


def test_a_case_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 10)
    with pytest.raises(UsageError) as refused:
        archive({"a.txt": b"x" * 11})
    assert refused.value.code == "BUNDLE_TOO_LARGE"
