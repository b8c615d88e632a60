"""Signed notes and keys against published vectors (golang.org/x/mod/sumdb/note), and every malformed form."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.errors import CannotDecide, UsageError
from lineage.ledger.key import PublicKey, SigningKey, load_key, make_key
from lineage.ledger.note import Checkpoint, checkpoint_text, parse, read_checkpoint, sign, split, verified

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
BY_PETER = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
BY_ENOCH = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
peter, enoch = PublicKey.read(PETER), PublicKey.read(ENOCH)


def test_published_key_and_signature() -> None:
    key = SigningKey.read(PETER_PRIVATE)
    assert str(key.public) == PETER
    assert key.text() == PETER_PRIVATE + "\n"
    assert sign(TEXT, [key]) == f"{TEXT}\n{BY_PETER}"


def test_signatures_by_keys_that_are_not_known_are_ignored() -> None:
    both = parse(f"{TEXT}\n{BY_PETER}{BY_ENOCH}")
    assert both.text == TEXT
    assert verified(both, [peter]) == [peter]
    assert verified(both, [peter, enoch]) == [peter, enoch]
    assert verified(parse(f"{TEXT}\n{BY_PETER}{BY_PETER}"), [peter]) == [peter]
    with pytest.raises(CannotDecide) as unknown:
        verified(both, [])
    assert unknown.value.code == "SIGNATURE_UNKNOWN"
    assert "PeterNeumann+c74f20a3" in unknown.value.cause


def test_a_wrong_signature_by_a_known_key_is_an_error() -> None:
    for note in (
        f"{TEXT}\n{BY_PETER[:60]}ABCD{BY_PETER[60:]}",
        f"{TEXT.replace('answer', 'question')}\n{BY_PETER}",
    ):
        with pytest.raises(CannotDecide) as wrong:
            verified(parse(note), [peter])
        assert wrong.value.code == "SIGNATURE_INVALID"


@pytest.mark.parametrize(
    "message",
    [
        "",
        TEXT,
        f"{TEXT}\n",
        f"{TEXT}\n{BY_PETER[:-1]}",
        f"\x01{TEXT}\n{BY_PETER}",
        f"{TEXT}\r\n\r\n{BY_PETER}",
        f"\udcff{TEXT}\n{BY_PETER}",
        f"{TEXT}\n{BY_PETER.replace('PeterNeumann', 'Bad Name')}",
        f"{TEXT}\n{BY_PETER.replace('PeterNeumann', 'Bad+Name')}",
        f"{TEXT}\n{BY_PETER.replace('PeterNeumann', '')}",
        f"{TEXT}\n{BY_PETER.replace('— ', '- ')}",
        f"{TEXT}\n{BY_PETER}Unexpected line.\n",
        f"{TEXT}\n— PeterNeumann x08g\n",
        f"{TEXT}\n— PeterNeumann x08go/ZJkuBS9UG=/\n",
        f"{TEXT}\n{BY_PETER * 101}",
        f"{'a' * 1_000_000}\n\n{BY_PETER}",
    ],
)
def test_malformed_notes_are_refused(message: str) -> None:
    with pytest.raises(CannotDecide) as refused:
        parse(message)
    assert refused.value.code == "NOTE_MALFORMED"


def test_every_mangling_of_a_key_is_refused() -> None:
    for text in (PETER, ENOCH):
        for i in range(len(text)):
            for mangled in (text[:i], text[i + 1 :], text[:i] + chr(ord(text[i]) + 1) + text[i + 1 :]):
                with pytest.raises(CannotDecide):
                    PublicKey.read(mangled)
    for text in (
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ):
        with pytest.raises(CannotDecide):
            PublicKey.read(text)
    for i in range(len(PETER_PRIVATE)):
        with pytest.raises(ValueError, match="key"):
            SigningKey.read(PETER_PRIVATE[:i])


lines = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30)


@given(lines, st.integers(0, 10**17), st.binary(min_size=32, max_size=32), st.lists(lines, max_size=4))
def test_a_checkpoint_reads_back(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    said = Checkpoint(origin, size, root, tuple(extensions))
    assert read_checkpoint(checkpoint_text(said)) == said


@given(st.lists(st.tuples(lines, st.integers(0, 99)), min_size=1, max_size=5))
def test_appended_notes_come_apart_again(said: list[tuple[str, int]]) -> None:
    key = SigningKey.read(PETER_PRIVATE)
    notes = [sign(checkpoint_text(Checkpoint(origin, size, bytes(32))), [key]) for origin, size in said]
    for between in ("", "\n", "\n\n"):
        assert split(between.join(notes)) == notes
        assert split(between.join(notes).rstrip().replace("\n", "\r\n")) == notes


def test_what_is_no_note_stays_visible_when_notes_come_apart() -> None:
    assert split("rubbish\n") == ["rubbish\n"]
    assert split("") == split("\n\n") == []


@pytest.mark.parametrize(
    "text",
    ["", "a\n", "a\n1\n", "a\n01\n" + "A" * 43 + "=\n", "a\n-1\n" + "A" * 43 + "=\n", "a\n1\nAAAA\n", "a\n1\n" + "A" * 43 + "=",
     "a\n1\n\n" + "A" * 43 + "=\n", "\n1\n" + "A" * 43 + "=\n", "a\n1\n" + "A" * 43 + "=\n\nx\n", "a\n١\n" + "A" * 43 + "=\n",
     "a\n" + "9" * 30 + "\n" + "A" * 43 + "=\n", "a\n1\n" + "A" * 42 + "B=\n"],
)  # fmt: skip
def test_malformed_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(CannotDecide) as refused:
        read_checkpoint(text)
    assert refused.value.code == "NOTE_MALFORMED"


def test_a_key_is_made_for_its_owner_alone_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / ".lineage" / "ledger.key"
    made = make_key(path, "shop/1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert [p.name for p in path.parent.iterdir() if "new" in p.name] == []
    assert load_key(path).public == made.public == make_key(path, "shop/2").public


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "ledger.key"
    make_key(path, "shop/1")
    path.chmod(mode)
    with pytest.raises(UsageError) as refused:
        load_key(path)
    assert refused.value.code == "LEDGER_KEY_UNUSABLE"
    assert refused.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("text", ["", "rubbish\n", PETER + "\n", PETER_PRIVATE[:-1] + "0\n", "\xff"])
def test_a_key_that_is_none_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ledger.key"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(UsageError) as refused:
        load_key(path)
    assert refused.value.code == "LEDGER_KEY_UNUSABLE"
    assert "AYEKFALVFGyNhPJ" not in str(refused.value)


def test_a_key_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as refused:
        make_key(tmp_path / "file" / "ledger.key", "shop/1")
    assert refused.value.code == "LEDGER_KEY_UNUSABLE"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
