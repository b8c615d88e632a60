"""``lineagegate bundle``."""

from __future__ import annotations

from pathlib import Path

import click

from lineage.cli.output import write
from lineage.cli.settings import Settings, times, verb
from lineage.errors import UsageError


@verb
@click.argument("model", required=False)
@click.option("--origin", default="", metavar="TEXT", help="Ask about origins whose kind, provider … contains this.")
@click.option("-o", "--output", metavar="FILE", help="The zip file to write.")
@click.option("--redact", metavar="WHAT", default="", help="Replace by pseudonyms: people, paths, or people,paths.")
@click.option(
    "--openings", metavar="FILE", help="Where to keep what the pseudonyms stand for. Never hand it over whole."
)
@click.option(
    "--checkpoint", "checkpoints", metavar="FILE", multiple=True,
    help="A checkpoint that the other side holds: prove that the record continues it.",
)  # fmt: skip
@times
@click.option("--verifier", is_flag=True, help="Print the verifier's SHA-256 hash; with -o, write the verifier.")
def bundle(
    settings: Settings, model: str | None, origin: str, output: str | None, redact: str, openings: str | None,
    checkpoints: tuple[str, ...], verifier: bool, as_of: str, known_at: str,
) -> None:  # fmt: skip
    """A case in one file that a stranger can check.

    Without this program, and without trusting you.

    It holds the dossier, the ledger entries it rests on and nothing of any other, their proofs, the signed checkpoint,
    and a verifier that needs Python and openssl only. MODEL is anything `check` takes. A redacted bundle says
    [person-1] instead of a name, everywhere; --openings names a file, kept by you, with which single values can be
    opened later (`python3 -I verify.py case.zip --open FILE`).
    """
    from lineage.evidence.bundle import document

    if verifier:
        found = document.verifier_document(output or "")
        if output:
            write(settings.start / output, document.verifier()[0])
        settings.show(lambda: found, lambda: document.verifier_text(found))
        return
    if not model or not output:
        raise UsageError(
            "name the model, and the file to write", hint="lineagegate bundle models:/NAME/VERSION -o case.zip"
        )
    kinds = document.kinds(redact)
    if openings and not kinds:
        raise UsageError("--openings goes with --redact: without it there is nothing to open", code="REDACT_INVALID")
    if kinds and not openings:
        raise UsageError(
            "say where to keep what the pseudonyms stand for: without it no value can ever be opened",
            code="REDACT_INVALID",
            hint=f"--redact {redact} --openings openings.json",
        )
    from lineage.gate.bundle import bundle as make
    from lineage.gate.bundle import notes_of

    notes = notes_of([(name, _text(settings.start / name)) for name in checkpoints])
    settings.in_force()
    with settings.gate() as gate:
        gate.refresh()
        with settings.asked(gate, as_of, known_at) as inquiry:
            case = inquiry.case(settings.name(gate, model), origin=origin)
        made = make(gate, case, redact=kinds, checkpoints=notes)
    if openings:
        write(settings.start / openings, made.openings.encode(), private=True)
    write(settings.start / output, made.data)
    result = document.bundle_document(case, made, output, openings or "", kinds)
    settings.show(lambda: result, lambda: document.bundle_text(result))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", code="CHECKPOINT_INVALID", cause=str(error)) from None
