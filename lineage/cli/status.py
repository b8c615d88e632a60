"""``lineagegate status``."""

from __future__ import annotations

from lineage.cli.settings import Settings, address, verb
from lineage.evidence import document, text


@verb
def status(settings: Settings) -> None:
    """Count what the ledger holds.

    As recorded: `lineagegate sync` reads what happened since. Sources with no declared origin are listed with the
    command that settles it.
    """
    with settings.gate() as gate:
        held = document.counts(gate.status(), gate.commits())
        todo = [(source, address(gate.config, source)) for source in gate.undeclared()]
    settings.show(
        lambda: document.StatusDocument(held, document.todo(todo)),
        lambda: text.status_text(held, [where for _, where in todo]),
    )
