"""The entry point: the list of verbs, their help page, and nothing else, so that it starts fast.

Click and everything below it are imported by `lineage.cli.group` once a verb is asked for; the help page and the
version need neither (issue 2: at most four times the start of a bare interpreter).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

VERBS = {
    "init": "Set up a repository: settings, policy, store, and what its history tells.",
    "declare": "Say where a source comes from, or in which role a stage reads it.",
    "exec": "Run a command, and see what it and every DVC stage in it really do.",
    "sync": "Read what the pipelines have done since last time.",
    "forward": "Send what is recorded here to the team's server.",
    "record": "Record OpenLineage events of other producers from files.",
    "check": "What the gate would say about an artifact now.",
    "why": "What an artifact carries, and on which path it came.",
    "contains": "Whether a model contains an origin, with the evidence.",
    "share": "What part of a model's sources has which origin.",
    "impact": "What was made from a source, models first.",
    "history": "What happened to a model, or on record at all.",
    "report": "Write a dossier about a model, to hand over.",
    "bundle": "A case in one file that a stranger can check.",
    "export": "What is known of a model in the words of a standard that auditors' systems read.",
    "grant": "Give, list or withdraw a permission.",
    "recall": "Judge every registered version again, and take back what is refused now.",
    "removal": "Claim and approve that an origin was taken out.",
    "content": "Find the content of restricted sources elsewhere.",
    "usage": "Hold a provider's log against the record.",
    "correction": "Claim and approve that a tag was a mistake.",
    "audit": "Compare the whole registry with the recorded decisions and changes.",
    "policy": "Test, check, show or replay the policy.",
    "ledger": "Verify the ledger, seal it, prove what is in it.",
    "status": "Count what the ledger holds.",
    "store": "Back up the store while it is used, and bring it back.",
    "serve": "Answer a team over HTTP.",
    "token": "Who may ask a server: make, list and revoke tokens.",
    "doctor": "Find what is wrong with the set-up.",
}
"""Every verb and what it is for; `lineage.cli.<verb>` holds it."""

OPTIONS = (
    ("--format [text|json]", "For people or for programs (docs/reference/cli.md)."),
    ("--store PATH|URL", "SQLite file or postgresql:// URL."),
    ("--policy PATH", "Policy file."),
    ("-C, --directory DIR", "Run as if started there."),
    ("--no-color", "No colour; so does the variable NO_COLOR."),
    ("--version", "Show the version and exit."),
    ("--help", "Show this page, or with a verb that verb's page, and exit."),
)


def usage() -> str:
    """The help page."""
    lines = [
        "Usage: lineagegate [OPTIONS] VERB …",
        "",
        "  The provenance gate: a model made from restricted sources is not registered.",
        "",
        "Options, before or after the verb:",
        *(f"  {option:<22} {text}" for option, text in OPTIONS),
        "",
        "Verbs:",
        *(f"  {verb:<10} {text}" for verb, text in VERBS.items()),
        "",
        "Exit status: 0 allowed or done, 1 denied or something found, 2 wrong usage or configuration,",
        "3 cannot decide or failed.",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; by default those of this process.

    Returns:
        The exit status.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments in ([], ["--help"], ["-h"]):
        print(usage())
        return 0
    from lineage.cli.group import run

    return run(arguments)
