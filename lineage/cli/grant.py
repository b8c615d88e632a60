"""``lineagegate grant``."""

from __future__ import annotations

import click

from lineage.cli.settings import Settings, times, verb
from lineage.errors import UsageError
from lineage.evidence import document, text
from lineage.vocabulary import Kind, Scope, Use


@verb
@click.option("--kind", default="", help=f"Kind of origin: {', '.join(k.value for k in Kind)}.")
@click.option("--provider", default="", help="Who made or owns the source.")
@click.option("--service", default="", help="The model or feed.")
@click.option("--channel", default="", help="How it was obtained; other channels stay as they are.")
@click.option("--terms", default="", help="The terms it came under.")
@click.option("--use", default="", help=f"Role: {', '.join(u.value for u in Use)}.")
@click.option("--model", default="", help="Registered model name.")
@click.option("--market", default="", help="Market that the policy states for the model.")
@click.option("--reference", default="", help="The paper it rests on: a contract, a letter, a ticket.")
@click.option("--approver", default="", help="Who gives it; default: you.")
@click.option("--from", "from_", default="", metavar="DATE", help="First day; default: at once.")
@click.option("--until", default="", metavar="DATE", help="Last day; default: until withdrawn.")
@click.option("--reason", default="", help="Why, for people.")
@click.option("--withdraw", default="", metavar="ID", help="Take a grant back from now on.")
@click.option("--list", "listed", is_flag=True, help="List every grant ever made.")
@times
def grant(
    settings: Settings,
    reference: str,
    approver: str,
    from_: str,
    until: str,
    reason: str,
    withdraw: str,
    listed: bool,
    as_of: str,
    known_at: str,
    **scope: str,
) -> None:
    """Give, list or withdraw a permission.

    A grant frees what the policy denies, inside its scope and dates only; a scope left out matches anything, and each
    takes shell patterns (seed-*). It frees no source that nobody has spoken for. It is an event in the ledger: who gave
    it, on which paper, from when until when.

    \b
    lineagegate grant --provider openai --channel azure-openai --model seed-chat --reference "Contract MS-117"
    lineagegate grant --withdraw 01J…
    """
    if (withdraw or listed) and (reference or any(scope.values())):
        raise UsageError("--list and --withdraw stand alone", code="GRANT_INVALID", hint="lineagegate grant --help")
    if (as_of or known_at) and not listed:
        raise UsageError("a grant is given now", code="GRANT_INVALID", hint="--as-of and --known-at go with --list")
    with settings.gate() as gate, settings.asked(gate, as_of, known_at) as inquiry:
        asked = inquiry.times
        if listed:
            grants = tuple(inquiry.over().grants())
        elif withdraw:
            grants = (gate.withdraw(withdraw),)
        else:
            given = gate.grant(
                Scope(**scope), reference=reference, approver=approver, from_=from_, until=until, reason=reason
            )
            grants = (given,)
    settings.show(lambda: document.GrantsDocument(grants, *asked), lambda: text.grants_text(grants, asked))
