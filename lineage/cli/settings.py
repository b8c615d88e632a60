"""What every verb gets: the shared options, the gate they open, and how to show a result, a failure or progress."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lineage.errors import LineageError

if TYPE_CHECKING:
    from lineage.config import Config
    from lineage.gate import Gate, Inquiry
    from lineage.pipeline import Progress
    from lineage.vocabulary import Artifact


@dataclass
class Settings:
    """The shared options as they were given."""

    format: str = "text"
    store: str | None = None
    policy: str | None = None
    directory: str | None = None
    no_color: bool = False

    @property
    def start(self) -> Path:
        """Directory that the verb runs in.

        Raises:
            UsageError: ``--directory`` does not name one.
        """
        where = Path(self.directory or ".").resolve()
        if not where.is_dir():
            from lineage.errors import UsageError

            raise UsageError(f"{self.directory} is not a directory", code="DIRECTORY_MISSING")
        return where

    def config(self) -> Config:
        """The settings that hold here."""
        from lineage.config import load

        # a path on the command line starts from the current directory, one in lineage.toml from the project's root
        store = str(Path(self.store).resolve()) if self.store and "://" not in self.store else self.store
        policy = str(Path(self.policy).resolve()) if self.policy else None
        return load(self.start if self.directory else None, store=store, policy=policy)

    def gate(self) -> Gate:
        """The gate of this directory, opened. Close it after use (it is a context manager)."""
        from lineage.gate import Gate

        gate = Gate.open(self.config())
        gate.proposed = self.policy is not None
        return gate

    def asked(self, gate: Gate, as_of: str, known_at: str) -> contextlib.AbstractContextManager[Inquiry]:
        """The record at the times that a person names (see `times`); without any the gate itself."""
        if not as_of and not known_at:
            return contextlib.nullcontext(gate)
        policy = Path(self.policy).resolve() if self.policy else None
        return gate.at(as_of=as_of, known_at=known_at, policy=policy)

    def in_force(self) -> None:
        """Refuse ``--policy``: what is handed over speaks of the policy that holds, never of a proposed one.

        Raises:
            UsageError: ``POLICY_PROPOSED``.
        """
        if self.policy:
            from lineage.errors import UsageError

            raise UsageError(
                "a document to hand over is made under the policy that holds, not under --policy",
                code="POLICY_PROPOSED",
                hint=f"lineagegate check MODEL --policy {self.policy} tells what another policy would say",
            )

    def name(self, gate: Inquiry, text: str) -> str:
        """What a person typed, as the gate knows it: a path that exists here, from the project's root."""
        path = text.partition(":")[0] if ":" in text and "://" not in text else text
        found = self.start / path
        root = gate.config.root
        if self.start != root and path and found.exists() and found.is_relative_to(root):
            return found.relative_to(root).as_posix() + text[len(path) :]
        return text

    def show(self, document: Callable[[], Any], text: Callable[[], str]) -> None:
        """Print a result in the format asked for; only that one is made."""
        if self.format == "json":
            from lineage.evidence.document import encode

            click.echo(encode(document()))
        else:
            self._print(text(), sys.stdout)

    def fail(self, failure: LineageError) -> None:
        """Print a failure: for programs on standard output, for people on standard error."""
        if self.format == "json":
            from lineage.evidence.document import encode, error

            click.echo(encode(error(failure)))
        else:
            self._print(str(failure), sys.stderr)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """A progress bar on a terminal; elsewhere nothing."""
        if self.format == "json" or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console
        from rich.progress import Progress as Bar

        with Bar(console=Console(stderr=True, no_color=not self._coloured(sys.stderr)), transient=True) as bar:
            tasks: dict[str, Any] = {}

            def advance(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bar.add_task(what, total=total or None)
                bar.update(tasks[what], completed=done, total=total or None)

            yield advance

    def _coloured(self, stream: Any) -> bool:
        return not self.no_color and not os.environ.get("NO_COLOR") and stream.isatty()

    def _print(self, text: str, stream: Any) -> None:
        if self._coloured(stream):
            from lineage.cli.colour import paint

            paint(text, stream)
        else:
            click.echo(text, file=stream)


def address(config: Config, value: Artifact) -> str:
    """What to type for an artifact: the `.dvc` file where there is one, else its name."""
    from lineage.events.naming import display

    name = display(value.namespace, value.name)
    # a name that is too long for a file is no file: `Path.is_file` raises then
    return f"{name}.dvc" if os.path.isfile(config.root / f"{name}.dvc") else name  # noqa: PTH113


def shared_options() -> list[click.Option]:
    """The options that stand before or after the verb."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value and parameter.name:  # an option given before the verb is not undone by its absence after it
            setattr(ctx.find_root().obj, parameter.name, value)

    def option(*names: str, **kwargs: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=keep, **kwargs)

    return [
        option("--format", type=click.Choice(["text", "json"]), help="For people or for programs."),
        option("--store", metavar="PATH|URL", help="SQLite file or postgresql:// URL."),
        option("--policy", metavar="PATH", help="Policy file."),
        option("-C", "--directory", metavar="DIR", help="Run as if started there."),
        option("--no-color", is_flag=True, help="No colour; so does the variable NO_COLOR."),
    ]


def times(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the two times that a question can be asked about; `Settings.asked` takes them."""
    for name, text in (("--known-at", "By what had been recorded then; WHEN as above."), ("--as-of", AS_OF)):
        function = click.option(name, default="", metavar="WHEN", help=text)(function)
    return function


AS_OF = (
    "What was true then. A day (its end, in UTC), a time with its zone, the id of a decision, or models:/NAME/VERSION "
    "(when it was registered)."
)


def verb(function: Callable[..., Any]) -> click.Command:
    """Make a verb of a function that takes the `Settings` first: its docstring is the help page."""
    command = click.command(function.__name__)(click.pass_obj(function))
    command.params += shared_options()
    command.context_settings = {"help_option_names": ["--help", "-h"], "max_content_width": 100}
    return command
