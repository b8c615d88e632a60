"""Why the record can be believed, and how to check that: the checkpoint, the commands, the entries cited, the words."""

from __future__ import annotations

import shlex

from lineage.evidence.case import Case
from lineage.evidence.dossier import words
from lineage.evidence.dossier.blocks import (
    Blocks,
    Code,
    Column,
    Heading,
    Paragraph,
    Section,
    Table,
    cell,
    code,
    facts,
    faint,
    left_out,
)
from lineage.evidence.dossier.found import PATHS, ordered
from lineage.evidence.dossier.said import MOST

GLOSSARY = (
    (
        "Complete",
        "Said of a lineage: every source on record has an origin that somebody declared, nothing more. It is not said "
        "that the record holds all that happened.",
    ),
    ("Source", "Data that no recorded step made from other data: what came in from outside."),
    ("Origin", "Where a source came from: its kind, provider, service, channel and terms."),
    (
        "Use",
        "In which role data went into a step: fine-tuning, evaluation, annotation and others. Content is the plain "
        "case: what went in is part of what came out.",
    ),
    (
        "Basis",
        "How something is known. An origin: declared (somebody said so), seen while a step ran, matched by content, or "
        "told by another system. A step: seen while it ran, restored from a run cache, or stated by a record.",
    ),
    (
        "By, when",
        "Names are as the settings of whoever typed them say, or the login name of who ran a step (root is the "
        "administrator's, often a machine's); nobody authenticated them. A time is in UTC, by the clock of the machine "
        "that ran the step or by the date of a commit, which its author can set; when something was recorded, by the "
        "clock of whoever keeps the record. “Work tree at commit” names the commit that a step started from: what was "
        "not committed then is not in it.",
    ),
    (
        "Content hash",
        "A fingerprint of data, computed from it alone: equal data has an equal one. Those of data are MD5, as DVC "
        "computes them. By accident two different files practically never have the same MD5; somebody who wants to can "
        "make two that do. md5sum FILE computes it anew; one that ends in .dir is the MD5 of the list of a directory's "
        "files, each with its own MD5. Entries of the ledger have SHA-256, for which nobody can.",
    ),
    (
        "Ledger, checkpoint",
        "The ledger is the list of all that was recorded; entries are only ever added. A checkpoint is a signed "
        "fingerprint of the whole list at one moment.",
    ),
)

CITED = 250
"""Ledger entries that are listed; the JSON document has all of them."""


def record(case: Case) -> Section:
    """The checkpoint that fixes the record, how to check it, and the entries that were cited."""
    seal = case.seal
    blocks: list[Blocks] = []
    if seal is None:
        blocks.append(
            Paragraph(
                "The record has no checkpoint. Nothing in it can be shown to be unchanged to somebody who does not "
                "trust whoever keeps it; lineagegate ledger checkpoint makes one."
            )
        )
    else:
        covers = "all of" if seal.size >= case.coverage.position else "not all of"
        blocks += [
            Paragraph(
                f"A signed checkpoint fixes the first {seal.size:,} entries of the ledger, {covers} the "
                f"{case.coverage.position:,} that this answer takes into account. Whoever holds the checkpoint can "
                "tell when an entry under it was changed, taken out or put in."
            ),
            facts(
                ("Ledger", seal.origin),
                ("Entries", words.number(seal.size)),
                ("Root hash", code(seal.root)),
                ("Made", f"{words.when(seal.time)}, by the clock of whoever keeps the ledger"),
                *(("Key", code(key)) for key in seal.keys),
                (
                    "Timestamp",
                    f"{words.when(seal.timestamped)}, by an independent authority (RFC 3161)"
                    if seal.timestamp
                    else "none: the date of the checkpoint rests on the clock above",
                ),
            ),
            Paragraph("The checkpoint as it was signed (C2SP signed note, Ed25519):"),
            Code(tuple(seal.note.rstrip("\n").split("\n"))),
        ]
    blocks += [
        Heading("How to check this"),
        Paragraph(
            "Ask for the bundle of this case: one file with the entries cited here, the proof that each of them is "
            "under the checkpoint, and a verifier. It is made with"
        ),
        Code((f"{command(case, 'bundle')} -o case.zip",)),
        Paragraph(
            "It is checked on any computer with Python and openssl, without lineagegate and without a network. Get "
            "verify.py from somewhere else than from whoever made the bundle:"
        ),
        Code(("python3 -I verify.py case.zip --key KEY",)),
        Paragraph(
            "Where the record is kept, the whole of it is checked, and this document made again by the same version of "
            f"the program, {words.program()}, with"
        ),
        Code(("lineagegate ledger verify", f"{command(case, 'report')} -o dossier.html")),
    ]
    named = _cited(case)
    cited = [entry for entry in case.entries if entry.position in named]
    if cited:
        columns = (Column("Entry", 9, right=True), Column("Recorded", 22), Column("What it says, and its hash", 69))
        rows = tuple(
            (
                cell(str(entry.position)),
                cell(words.when(entry.recorded)),
                cell(entry.text, faint(entry.hash, code=True)),
            )
            for entry in cited[:CITED]
        )
        blocks += [
            Heading("Ledger entries cited"),
            Table("Entries are counted from 0; the hash is the RFC 6962 leaf hash (SHA-256)", columns, rows),
        ]
        blocks += left_out(len(cited), len(rows), "entry", "entries")
    return Section("record", "The record, and how to check it", tuple(blocks))


def glossary() -> Section:
    """The words that a reader needs."""
    return Section("words", "Words used here", (facts(*GLOSSARY),))


def command(case: Case, verb: str) -> str:
    """What to type to put this question to another verb."""
    asked = case.question
    options = (("--origin", asked.origin), ("--as-of", asked.as_of), ("--known-at", asked.known_at))
    said = "".join(f" {name} {shlex.quote(value)}" for name, value in options if value)
    return f"lineagegate {verb} {shlex.quote(asked.subject)}{said}"


def _cited(case: Case) -> set[int]:
    """Entries that this document names."""
    said = {entry for trace in ordered(case.traces)[:PATHS] for step in trace.path for entry in step.entries}
    said |= {judged.entry for judged in case.decisions[-MOST:]} | {item.entry for item in case.history[-MOST:]}
    for views in (case.grants, case.removals, case.corrections):
        said.update(*(view.entries for view in views))
    return said
