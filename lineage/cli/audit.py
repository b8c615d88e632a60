"""``lineagegate audit``."""

from __future__ import annotations

from lineage.cli.settings import Settings, verb
from lineage.evidence import document, text


@verb
def audit(settings: Settings) -> int:
    """Compare the whole registry with the recorded decisions and changes.

    Every version is read, hidden ones too, with its files. Listed are versions without a decision (they came around the
    gate), with other files than those judged, registered although refused, and those that would be refused today;
    aliases and stages that were changed around the gate, and versions that are gone or back without a record of it.

    Exit status: 0 all accounted for, 1 something found.
    """
    with settings.gate() as gate:
        versions, findings = gate.audit()
    rows = [(f.code, f"models:/{f.model}/{f.version}", f.message, f.hint) for f in findings]
    settings.show(
        lambda: document.AuditDocument(versions, document.notices(rows)),
        lambda: text.audit_text(versions, rows),
    )
    return 1 if findings else 0
