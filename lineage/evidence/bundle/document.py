"""What ``lineagegate bundle`` says: the JSON document and the text."""

from __future__ import annotations

from lineage.errors import UsageError
from lineage.evidence.bundle.make import Bundle, verifier
from lineage.evidence.bundle.redact import Redact
from lineage.evidence.case import Case
from lineage.evidence.document import Document
from lineage.evidence.layout import count, fields, page

__all__ = [
    "BundleDocument",
    "bundle_document",
    "bundle_text",
    "kinds",
    "verifier",
    "verifier_document",
    "verifier_text",
]


class BundleDocument(Document, frozen=True):
    """``bundle``: what was written. With ``--verifier`` only the fields of the verifier say something."""

    verifier: str
    """SHA-256 of the verifier, hex: what a trusted copy is compared with."""
    file: str = ""
    """As it was named on the command line."""
    openings: str = ""
    """File with what the pseudonyms stand for."""
    sha256: str = ""
    """Of the bundle, hex."""
    entries: int = 0
    """Ledger entries in it."""
    withheld: int = 0
    """Those of them that are redacted copies."""
    size: int = 0
    """Entries that the checkpoint covers."""
    keys: tuple[str, ...] = ()
    """Verifier keys: to be given to whoever checks it, over another channel."""
    redacted: tuple[str, ...] = ()


def bundle_document(case: Case, made: Bundle, file: str, openings: str, redacted: frozenset[Redact]) -> BundleDocument:
    """What was made."""
    seal = case.seal
    assert seal is not None
    return BundleDocument(
        verifier()[1], file, openings, made.sha256, len(case.entries), made.withheld, seal.size, seal.keys,
        tuple(sorted(kind.value for kind in redacted)),
    )  # fmt: skip


def bundle_text(said: BundleDocument) -> str:
    """The same for people."""
    held = count(said.entries, "ledger entry").replace("entrys", "entries")
    rows = [
        ("holds", f"{held} of {said.size:,}" + (f", {said.withheld:,} redacted" if said.redacted else "")),
        ("sha256", said.sha256),
        ("check", f"python3 -I verify.py {said.file} --key {said.keys[0] if said.keys else 'KEY'}"),
        ("key", "give it over another channel than the bundle; inside it proves nothing about who signed"),
        ("openings", f"{said.openings}: keep it; who has it reads every redacted value" if said.openings else ""),
    ]
    return page([f"Wrote {said.file}.", *fields(rows)])


def verifier_document(file: str) -> BundleDocument:
    """What a trusted copy of the verifier is compared with."""
    return BundleDocument(verifier()[1], file)


def verifier_text(said: BundleDocument) -> str:
    """The same for people: as `sha256sum` writes it."""
    return page([f"{said.verifier}  {said.file or 'verify.py'}"])


def kinds(text: str) -> frozenset[Redact]:
    """What ``--redact`` names.

    Raises:
        UsageError: ``REDACT_INVALID``.
    """
    known = {kind.value: kind for kind in Redact}
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise UsageError(f"{word!r} cannot be redacted", code="REDACT_INVALID", hint=f"known: {', '.join(known)}")
    return frozenset(known[word] for word in words)
