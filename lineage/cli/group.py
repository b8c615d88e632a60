"""Finding the verb, and turning everything that can go wrong into one exit status and one clear message.

An uncaught exception would exit with 1 in Python and read as "denied" (ARCHITECTURE.md, exit codes): every one is
caught here and exits 3.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise

import click

from lineage.cli.main import VERBS, usage
from lineage.cli.settings import Settings, shared_options
from lineage.errors import LineageError, UsageError

WRONG, FAILED = 2, 3
INTERRUPTED, UNREAD = 130, 141
"""As a shell reports SIGINT and SIGPIPE."""


class Verbs(click.Group):
    """The verbs, each imported when it is called."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Names of the verbs, in the order of the help page."""
        return list(VERBS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """A verb by name."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(import_module(f"lineage.cli.{cmd_name}"), cmd_name)
        return command

    def format_help(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """The page that `lineage.cli.main` prints."""
        formatter.write(usage() + "\n")


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"lineagegate {version('lineagegate')}")
        ctx.exit()


root = Verbs(
    "lineagegate",
    params=[
        *shared_options(),
        click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version),
    ],
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)


def run(arguments: Sequence[str]) -> int:
    """Run a verb.

    Returns:
        The exit status: 0, 1, 2 or 3; 130 when interrupted, 141 when the reader of the output went away.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show an arrow shows a question mark
    settings = Settings(format=_asked_format(arguments))
    try:
        status = _run(arguments, settings)
        sys.stdout.flush()
    except BrokenPipeError:
        # the interpreter flushes once more at exit, which must not complain either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return status


def _run(arguments: Sequence[str], settings: Settings) -> int:
    try:
        # not `main` of click: it turns a broken pipe into exit status 1, which says "denied" here
        with root.make_context("lineagegate", list(arguments), obj=settings) as context:
            return int(root.invoke(context) or 0)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what was acknowledged is kept", err=True)
        return INTERRUPTED
    except click.ClickException as wrong:
        where = wrong.ctx if isinstance(wrong, click.UsageError) else None
        hint = f"{where.command_path} --help" if where else "lineagegate --help"
        settings.fail(UsageError(wrong.format_message(), hint=hint))
        return WRONG
    except LineageError as failure:
        settings.fail(failure)
        return WRONG if isinstance(failure, UsageError) else FAILED
    except BrokenPipeError:
        raise
    except (Exception, SystemExit) as unforeseen:
        settings.fail(_unforeseen(unforeseen))
        return FAILED


def _unforeseen(error: BaseException) -> LineageError:
    if os.environ.get("LINEAGE_DEBUG") == "1":
        traceback.print_exception(error)
        where = "the traceback is above"
    else:
        try:
            with tempfile.NamedTemporaryFile(
                "w", prefix="lineagegate-", suffix=".txt", delete=False, encoding="utf-8"
            ) as report:
                traceback.print_exception(error, file=report)
            where = f"the report is {report.name}"
        except OSError:
            where = "LINEAGE_DEBUG=1 shows where"
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    return LineageError("lineagegate failed; nothing was decided", code="INTERNAL", cause=cause, hint=where)


def _asked_format(arguments: Sequence[str]) -> str:
    """The format asked for, before anything is parsed: a wrong option is reported in it too."""
    given = "--format=json" in arguments or ("--format", "json") in pairwise(arguments)
    return "json" if given else "text"
