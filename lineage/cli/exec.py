"""``lineagegate exec``."""

from __future__ import annotations

import os

import click

from lineage.cli.forward import later
from lineage.cli.settings import Settings, verb
from lineage.errors import UsageError, printable

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""As a shell reports a command that cannot be started."""


@verb
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option(
    "--observe",
    type=click.Choice(["python", "strace", "off"]),
    default="python",
    help="Look at what Python processes do (default), at what every process does, or at nothing but which stages run.",
)
@click.option(
    "--strict", is_flag=True, help="Let stages of DVC read only what they declare, and call nobody undeclared."
)
def exec(settings: Settings, command: tuple[str, ...], observe: str, strict: bool) -> int:  # noqa: A001 - the verb's name
    """Run a command, and see what it and every DVC stage in it really do.

    COMMAND is `dvc repro`, `make`, `python train.py`, anything; write -- before it. Nothing in dvc.yaml, dvc.lock or
    the run cache changes. Which stages ran, what they read and did not declare, and which model providers they called
    is recorded when the command has ended.

    \b
    lineagegate exec -- dvc repro
    lineagegate exec -- python train.py --epochs 3

    Exit status: that of COMMAND; 127 and 126 where it cannot be started, 2 where there are no settings.
    """
    from lineage.capture import command as running
    from lineage.capture import hook, landlock, spool

    config = settings.config()
    if observe == "strace":
        hook.strace()  # what cannot be seen is refused before anything runs
    if strict:
        landlock.require()
    environment = dict(os.environ)
    folder = began = None
    try:
        found = hook.prepare(config.root, environment)
        inside = environment.get("LINEAGE_EXECUTION", "")
        mode = "python" if observe == "strace" and hook.is_dvc(command) else observe  # its stages are traced
        folder = spool.begin(found.spool, command, mode=mode, parent=inside)
        began = (folder / "start").read_bytes()
        environment = hook.environment(found, environment, mode=observe, execution=folder, strict=strict)
        if strict and found.shell is None:
            raise UsageError(
                "stages cannot be confined here",
                code="STRICT_IMPOSSIBLE",
                cause=f"{config.root}/.lineage/hook: no program can be started there",
            )
    except OSError as error:  # the command is what was asked for
        if strict:
            raise
        click.echo(f"lineagegate: not observed: {error}", err=True)
    try:
        started = hook.traced(command, environment)
        status = running.run(started, environment)
        if folder is not None and len(started) > len(command):
            hook.wait(folder)
    except OSError as error:
        click.echo(f"lineagegate: {command[0]}: {error.strerror}", err=True)
        status = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    if folder is not None:
        try:
            spool.seal(folder, status, began)
            with settings.gate() as gate:
                gate.refresh()
                for notice in gate.observed:
                    click.echo(f"lineagegate: {printable(notice.where)}: {printable(notice.message)}", err=True)
            later(settings)
        except Exception as error:  # whatever became of our part, the command ended as it did
            click.echo(f"lineagegate: observed, not yet recorded: {printable(str(error))}", err=True)
    return running.end_as(status)


exec.context_settings["allow_interspersed_args"] = False  # what stands after COMMAND is its own
