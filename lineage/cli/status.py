"""``lineagegate status``."""

from __future__ import annotations

from lineage.cli.forward import after_sync
from lineage.cli.settings import Settings, address, times, verb
from lineage.evidence import document, text


@verb
@times
def status(settings: Settings, as_of: str, known_at: str) -> None:
    """Count what the ledger holds.

    As recorded: `lineagegate sync` reads what happened since. Sources with no declared origin are listed with the
    command that settles it, and what the team's server has not acknowledged. Of another time the whole ledger is read
    again.
    """
    with settings.gate() as gate, settings.asked(gate, as_of, known_at) as inquiry:
        asked = inquiry.times
        held = document.counts(inquiry.status(), None if any(asked) else gate.commits())
        todo = [(source, address(gate.config, source)) for source in inquiry.undeclared()]
        waiting = None if any(asked) else after_sync(gate, now=False)
    settings.show(
        lambda: document.StatusDocument(held, document.todo(todo), *asked, waiting),
        lambda: text.status_text(held, [where for _, where in todo], asked, waiting),
    )
