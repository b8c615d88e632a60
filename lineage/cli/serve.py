"""``lineagegate serve``."""

from __future__ import annotations

from pathlib import Path

import click

from lineage.cli.settings import Settings, verb
from lineage.errors import UsageError


@verb
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8765, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--tls-cert", metavar="FILE", help="Certificate chain (PEM).")
@click.option("--tls-key", metavar="FILE", help="Its key (PEM).")
@click.option(
    "--behind-proxy", "proxies", metavar="ADDRESS", multiple=True,
    help="A proxy that ends TLS; its X-Forwarded headers are believed. May be given again.",
)  # fmt: skip
@click.option(
    "--oidc-issuer", default="", metavar="URL", help="Believe people that this OpenID Connect issuer vouches for."
)
@click.option("--oidc-audience", default="", metavar="NAME", help="For whom its tokens must be.")
@click.option(
    "--log-format", default="text", type=click.Choice(["text", "json"]), help="Form of the log on standard error."
)
def serve(
    settings: Settings, host: str, port: int, tls_cert: str | None, tls_key: str | None, proxies: tuple[str, ...],
    oidc_issuer: str, oidc_audience: str, log_format: str,
) -> None:  # fmt: skip
    """Answer a team over HTTP.

    OpenLineage events in, questions and decisions out, each for whom it is. Where there are no settings yet they are
    made, as `init` does; the store is brought up to date. While nobody has a token, one for an administrator is made
    and printed, once. Only this machine is served unless --host says otherwise; then there must be tokens, and TLS
    here or at a proxy. SIGTERM ends it: requests are finished, and everything acknowledged is in the ledger.

    \b
    lineagegate serve
    lineagegate serve --host 0.0.0.0 --tls-cert server.pem --tls-key server.key
    """
    try:
        from lineage.server import run
        from lineage.server.settings import ServerSettings
    except ImportError as error:
        raise UsageError(
            "the server is not installed",
            code="EXTRA_MISSING",
            cause=str(error),
            hint="pip install 'lineagegate[server]'",
        ) from None
    from lineage.gate import Gate
    from lineage.store import create_store

    try:
        config = settings.config()
    except UsageError as missing:
        if missing.code != "CONFIG_MISSING":
            raise
        gate, written = Gate.init(settings.start)
        gate.close()
        config = settings.config()
        click.echo(f"set up {settings.start}: {', '.join(path.name for path in written)}", err=True)
    about = ServerSettings.of(config, issuer=oidc_issuer, audience=oidc_audience)
    where = run.Where(
        host,
        port,
        Path(tls_cert).resolve() if tls_cert else None,
        Path(tls_key).resolve() if tls_key else None,
        proxies,
    )
    create_store(config.store_url).close()
    with Gate.open(config) as gate:
        gate.policy()  # without one nothing can be answered: better said here than by every page
        run.check_where(where, len(gate.graph.tokens.all()))
        if token := run.first_token(gate):
            click.echo(f"a token for an administrator, shown this once:\n{token}")
    scheme = "https" if where.certificate else "http"
    click.echo(f"lineagegate serves {config.project} on {scheme}://{host}:{port}", err=True)
    run.serve(config, about, where, log_format)
