"""``lineagegate token create|list|revoke``."""

from __future__ import annotations

import click

from lineage.cli.settings import Settings, verb
from lineage.vocabulary import Role


@verb
@click.option("--name", required=True, help="Whom it stands for: a person with a mail address, or a machine.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What it may do.")
@click.option(
    "--namespace", "namespaces", multiple=True,
    help="What a producer may speak of; 's3://lake*' stands for all that begin so. May be given again.",
)  # fmt: skip
@click.option("--expires", default="", metavar="DATE", help="Last day; default: until it is revoked.")
def create(settings: Settings, name: str, role: str, namespaces: tuple[str, ...], expires: str) -> None:
    """Make a token, and show it this once.

    Only a hash is kept. Claims, grants and approvals by a steward are recorded under its name: give each person one of
    their own. Who made it for whom is in the ledger.

    \b
    lineagegate token create --name "Airflow" --role producer --namespace airflow-prod --namespace s3://lake
    lineagegate token create --name "Jane Roe <jane@example.com>" --role steward --expires 2027-12-31
    """
    from lineage.evidence import tokens as text
    from lineage.gate.questions import moment
    from lineage.gate.tokens import make_token

    with settings.gate() as gate:
        row, secret = make_token(
            gate.graph,
            name=name,
            role=Role(role),
            by=gate.user,
            namespaces=namespaces,
            expires=moment(expires, end=True),
        )
    made = text.token(row)
    settings.show(lambda: text.TokenMadeDocument(made, secret), lambda: text.made_text(made, secret))


@verb
def list_(settings: Settings) -> None:
    """List every token ever made, without its secret."""
    from lineage.evidence import tokens as text

    with settings.gate() as gate:
        rows = [text.token(row) for row in gate.graph.tokens.all()]
    settings.show(lambda: text.TokensDocument(tuple(rows)), lambda: text.tokens_text(rows))


list_.name = "list"


@verb
@click.argument("id")
def revoke(settings: Settings, id: str) -> None:  # noqa: A002 - the name on the help page
    """End a token now. What was done with it stays on record."""
    from lineage.evidence import tokens as text
    from lineage.gate.tokens import revoke_token

    with settings.gate() as gate:
        row = text.token(revoke_token(gate.graph, id, by=gate.user))
    settings.show(lambda: text.TokensDocument((row,)), lambda: text.tokens_text([row]))


token = click.Group(
    "token",
    commands=[create, list_, revoke],
    help="Who may ask a server: make, list and revoke tokens.",
    context_settings={"help_option_names": ["--help", "-h"]},
)
