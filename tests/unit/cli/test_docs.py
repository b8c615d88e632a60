"""The reference of the command line is made from the help pages; other pages are held to the code where they can be.

`make docs` writes docs/reference/cli.md anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from lineage import config
from lineage.cli.main import VERBS, usage
from lineage.events.facets import FACETS
from lineage.vocabulary import Basis, Kind, Use

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


def _pages(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    context = click.Context(command, info_name=path, terminal_width=100, help_option_names=["--help", "-h"])
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner
            yield from _pages(inner, f"{path} {name}")
    else:
        yield path, command.get_help(context)


def reference() -> str:
    """Every help page, one after the other."""
    parts = ["```\n" + usage() + "\n```"]
    for verb in VERBS:
        for path, page in _pages(getattr(import_module(f"lineage.cli.{verb}"), verb), f"lineagegate {verb}"):
            parts.append(f"## {path.removeprefix('lineagegate ')}\n\n```\n{page}\n```")
    return "\n\n".join(parts) + "\n"


def test_the_reference_of_the_command_line_is_up_to_date(request: pytest.FixtureRequest) -> None:
    page = DOCS / "reference" / "cli.md"
    head, mark, _ = page.read_text(encoding="utf-8").partition("<!-- from here on made by `make docs` -->\n\n")
    expected = head + mark + reference()
    if request.config.getoption("--update-golden"):
        page.write_text(expected, encoding="utf-8")
    assert mark
    assert page.read_text(encoding="utf-8") == expected


def test_every_setting_is_documented() -> None:
    page = (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8")
    for name in (*config.TEXT_KEYS, "code", "models", "[[origins]]", *(f"[{table}]" for table in config.TABLES)):
        assert f"`{name}`" in page, name
    for name in config.ORIGIN_FIELDS:
        assert f"`{name}`" in page, name
    for name in config.TEXT_KEYS:
        assert f"`LINEAGE_{name.upper()}`" in page, name


def test_every_facet_is_documented() -> None:
    page = (DOCS / "reference" / "events.md").read_text(encoding="utf-8")
    for key, facet in FACETS.items():
        assert f"`{key}`" in page, key
        assert f"{facet.__name__}.json" in page, key


def test_every_word_of_a_label_is_explained() -> None:
    page = (DOCS / "explanation" / "labels.md").read_text(encoding="utf-8")
    for word in (*Kind, *Use, *Basis):
        assert f"`{word.value}`" in page, word


@pytest.mark.parametrize("page", [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
