"""The dossier as people get it: golden files, valid HTML, the same words in every form, and no name that escapes.

``pytest tests/unit/evidence/dossier --update-golden`` writes the golden files anew; look at them in a browser then.
"""

from __future__ import annotations

import builtins
import io
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import msgspec
import pypdf
import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lineage.errors import UsageError, printable
from lineage.evidence.case import Case, Contains, HistoryItem, SourceView, Taken
from lineage.evidence.dossier import outline
from lineage.evidence.dossier.blocks import Block, Cell, Line, Picture, Section
from lineage.evidence.dossier.html import POLICY, html
from lineage.evidence.dossier.metrics import WIDTHS
from lineage.evidence.dossier.pdf import data, pdf
from lineage.evidence.dossier.text import dossier_text
from lineage.vocabulary import ArtifactType, Basis, Outcome, Step, Use
from tests.unit.evidence.cases import CASES, NO, YES
from tests.unit.evidence.dossier.hostile import ATTACK, LONG, hostile

Golden = Callable[[str, str], None]
HTML = "{http://www.w3.org/1999/xhtml}"

HOSTILE = hostile(ATTACK)
EVERY = {
    **CASES,
    "hostile": HOSTILE,
    "long": hostile(LONG),
    "open": replace(YES, question=replace(YES.question, origin="")),
}


def said(value: Any) -> Iterator[str]:
    """Every text of an outline that is shown as text, as it is shown: pictures and fields that say how are left out."""
    if isinstance(value, str):
        yield printable(value)
    elif isinstance(value, Picture):
        yield printable(value.caption)
    elif isinstance(value, Section):
        yield from said((value.title, value.blocks))
    elif isinstance(value, (Line, Cell)):
        yield from said(value.text if isinstance(value, Line) else value.lines)
    elif isinstance(value, Block):
        yield from said([getattr(value, name) for name in value.__struct_fields__])
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from said(inner)
    elif isinstance(value, msgspec.Struct):
        yield from said(getattr(value, "title", None))


def shown(case: Case) -> list[str]:
    """Every text of a case's dossier."""
    it = outline(case)
    return list(said([it.title, it.subject, it.question, it.word, it.answer, it.more, it.facts, it.sections]))


def parsed(text: str) -> Element:
    """The document, by a parser that accepts no fault."""
    tree: Element = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), strict=True).parse(text)
    return tree


def flat(text: str) -> str:
    """Without blanks: lines break elsewhere in every form."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("name", [*CASES, "hostile"])
def test_html(name: str, golden: Golden) -> None:
    golden(f"{name}.html", html(EVERY[name]))


@pytest.mark.parametrize("name", [*CASES, "hostile"])
def test_text(name: str, golden: Golden) -> None:
    golden(f"{name}.txt", dossier_text(EVERY[name]) + "\n")


@pytest.mark.parametrize("name", [*CASES, "hostile"])
def test_picture(name: str, golden: Golden) -> None:
    pictures = [block for part in outline(EVERY[name]).sections for block in part.blocks if isinstance(block, Picture)]
    assert len(pictures) == (name != "no")
    for picture in pictures:
        golden(f"{name}.svg", picture.svg + "\n")


@pytest.mark.parametrize("name", CASES)
def test_what_the_pdf_says(name: str, golden: Golden) -> None:
    reader = pypdf.PdfReader(io.BytesIO(pdf(CASES[name])))
    golden(f"{name}.pdf.txt", "\n\f\n".join(page.extract_text() for page in reader.pages) + "\n")


@pytest.mark.parametrize("name", EVERY)
def test_html_is_valid_complete_and_inert(name: str) -> None:
    text = html(EVERY[name])
    root = parsed(text)
    assert root.get("lang") == "en"
    tags = {element.tag.rpartition("}")[2] for element in root.iter() if isinstance(element.tag, str)}
    assert not tags & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "foreignObject", "a:href"}
    (policy,) = (m.get("content") for m in root.iter(f"{HTML}meta") if m.get("http-equiv"))
    assert policy == POLICY
    identities = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(identities) == len(set(identities))
    for element in root.iter():
        for attribute, value in element.attrib.items():
            assert not attribute.lower().startswith("on")
            if attribute.endswith("href"):
                assert value.startswith("#")
                assert value[1:] in identities
            if attribute in ("aria-labelledby", "aria-describedby"):
                assert set(value.split()) <= set(identities)
            if attribute == "style":
                assert re.fullmatch(r"(--natural:[\d.]+px|width:[\d.e-]+%)", value), value
    (style,) = root.iter(f"{HTML}style")
    assert "@import" not in (style.text or "")
    assert "url(" not in (style.text or "")
    body = root.find(f"{HTML}body")
    assert body is not None
    words = flat("".join(body.itertext()))
    for line in shown(EVERY[name]):
        assert flat(line) in words, line


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_any_text_is_only_text(text: str) -> None:
    case = hostile(text)
    tree = parsed(html(case))
    assert len(list(tree.iter())) == len(list(parsed(html(hostile("a"))).iter()))  # it makes no element
    assert printable(text).strip() in "".join(tree.itertext())


@settings(max_examples=8, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_any_text_makes_a_pdf(text: str) -> None:
    assert pdf(hostile(text)).startswith(b"%PDF-")


@pytest.mark.parametrize("name", EVERY)
def test_html_is_accessible(name: str) -> None:
    root = parsed(html(EVERY[name]))
    for landmark in ("header", "main", "nav", "footer"):
        assert len(list(root.iter(HTML + landmark))) == 1
    levels = [int(e.tag[-1]) for e in root.iter() if re.fullmatch(r".*}h[1-6]", str(e.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    for table in root.iter(f"{HTML}table"):
        assert table.find(f"{HTML}caption") is not None
        for head in table.iter(f"{HTML}th"):
            assert head.get("scope") in ("col", "row")
        for row in table.iter(f"{HTML}tr"):
            assert row[0].tag == f"{HTML}th"
    for drawing in root.iter():
        if str(drawing.tag).endswith("}svg"):
            assert drawing.get("role") == "img"
            assert [child.tag.rpartition("}")[2] for child in drawing][:2] == ["title", "desc"]
    for region in root.iter(f"{HTML}div"):
        if region.get("tabindex"):  # what scrolls can be reached by keyboard, and says what it is
            assert region.get("role") == "region"
            assert region.get("aria-label")


def test_colours_have_contrast() -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1 for text, in light, dark and print."""

    def luminance(colour: str) -> float:
        digits = colour if len(colour) == 6 else "".join(c * 2 for c in colour)
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    themes = re.findall(r"--ink: #(\w+); --faint: #(\w+); --paper: #(\w+); --rule: #\w+; --band: #(\w+);", html(YES))
    assert len(themes) == 3
    for ink, faint, paper, band in themes:
        for text, ground in itertools.product((ink, faint), (paper, band)):
            high, low = sorted((luminance(text), luminance(ground)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5


@pytest.mark.parametrize("name", [name for name in EVERY if name != "long"])
def test_the_pdf_is_the_same_twice_and_says_what_the_html_says(name: str) -> None:
    case = EVERY[name]
    first = pdf(case)
    assert first == pdf(case)
    reader = pypdf.PdfReader(io.BytesIO(first))
    words = flat("".join(page.extract_text() for page in reader.pages))
    for line in shown(case):
        if name in CASES or len(line) < 60:  # a long line may go on over a page
            spelled = "".join(c if c.isascii() or c in WIDTHS else c.encode("unicode_escape").decode() for c in line)
            assert flat(spelled) in words or flat(spelled.upper()) in words, line


def test_names_of_2000_characters_make_a_long_pdf_not_a_wrong_one() -> None:
    reader = pypdf.PdfReader(io.BytesIO(pdf(EVERY["long"])))
    assert len(reader.pages) < 100
    first = reader.pages[0].extract_text()
    assert "models:/seed-chat/7nnn" in first
    assert max(map(len, first.splitlines())) < 150  # it breaks instead of running off the page


def test_the_pdf_is_made_for_archives_and_screen_readers() -> None:
    made = pdf(YES)
    reader = pypdf.PdfReader(io.BytesIO(made))
    xmp = made[made.index(b"<?xpacket begin") : made.index(b"<?xpacket end")].decode()
    assert re.search(r"pdfaid:part[>=\"]+2", xmp)
    assert re.search(r"pdfaid:conformance[>=\"]+A", xmp)
    assert re.search(r"pdfuaid:part[>=\"]+1", xmp)
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert reader.trailer["/Root"]["/Lang"] == "en"
    assert reader.metadata
    assert reader.metadata.title == "Provenance dossier: models:/seed-chat/7"
    assert str(reader.metadata.creation_date).startswith("2023-06-30 16:00:00")  # the question's, not a clock's
    fonts = {
        str(font["/BaseFont"]) for page in reader.pages for font in map(resolved, page["/Resources"]["/Font"].values())
    }
    assert all("Libertinus" in font or "DejaVuSansMono" in font for font in fonts)


def test_a_moment_with_parts_of_a_second_makes_a_pdf() -> None:
    asked = replace(YES.question, asked="2023-06-30T16:00:00.123456+02:00")
    assert (
        pypdf.PdfReader(io.BytesIO(pdf(replace(YES, question=asked)))).metadata["/CreationDate"] == "D:20230630140000Z"
    )
    nothing = replace(YES, question=replace(YES.question, asked=""))
    assert pdf(nothing) == pdf(nothing)


def resolved(value: Any) -> Any:
    return value.get_object()


def test_every_measured_character_has_a_glyph_in_both_fonts() -> None:
    """PDF/A refuses a character without one; what is not measured is written as an escape."""
    for font in ("Libertinus Serif", "DejaVu Sans Mono"):
        template = f'#set text(font: "{font}", fallback: false)\n#set document(title: "t")\n#sys.inputs.chars'
        compiler = typst.Compiler(template.encode(), ignore_system_fonts=True, sys_inputs={"chars": "".join(WIDTHS)})
        compiler.compile(format="pdf", pdf_standards=["a-2a"], timestamp=0)


def test_a_missing_extra_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "typst":
            raise ImportError("No module named 'typst'", name="typst")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "typst")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match="needs typst") as error:
        pdf(YES)
    assert error.value.code == "EXTRA_MISSING"
    assert "pip install 'lineagegate[pdf]'" in error.value.hint


def test_markup_reaches_typst_as_data_alone() -> None:
    value = json.loads(data(HOSTILE))
    assert value["subject"].startswith("models:/seed-chat/7<script>alert(1)</script>")
    assert "#panic()" in value["subject"]
    assert all(char in WIDTHS or char == "\n" for char in json.dumps(value, ensure_ascii=False))


def test_an_open_question_is_answered_with_the_policy() -> None:
    it = outline(EVERY["open"])
    assert it.question == "What does models:/seed-chat/7 contain, and does the policy allow it?"
    assert (it.word, it.tone) == ("Refused", "bad")
    assert "origin" not in dossier_text(EVERY["open"]).splitlines()[-1]
    allowed = replace(NO, question=replace(NO.question, origin=""), verdict=replace(NO.verdict, outcome=Outcome.ALLOW))
    assert outline(allowed).word == "Allowed"


def test_an_answer_is_never_more_than_it_says() -> None:
    """No path over an incomplete lineage is not "no"."""
    unsure = replace(NO, answer=replace(NO.answer, contains=Contains.CANNOT_TELL), coverage=replace(NO.coverage, complete=False, reason="one run could not be read"))  # fmt: skip
    it = outline(unsure)
    assert it.word == "Cannot be told"
    text = "\n".join(shown(unsure))
    assert "not complete: one run could not be read" in text
    assert "That is not a statement that there is none" in text
    assert "No path leads" not in text


def test_long_lists_are_cut_and_say_so() -> None:
    events = tuple(
        HistoryItem("2023-03-06T11:00:00+00:00", "2023-03-06T13:00:00+00:00", "alias", f"subject-{n}", "moved", "Jo", n)
        for n in range(1000)
    )
    case = replace(YES, history=events, traces=YES.traces * 100, unknown=("something",) * 500)
    text = "\n".join(shown(case))
    assert "880 more older events: in the JSON document of this case." in text
    assert "160 more paths: in the JSON document of this case." in text
    assert "380 more points" in text
    assert "subject-999" in text
    assert "subject-0" not in text
    assert "recorded 6 March 2023, 13:00 UTC" in text  # later than it happened


def test_a_no_after_a_removal_says_so_on_page_1_shows_the_way_that_was_cut_and_every_source() -> None:
    removal = NO.removals[0].removal
    ref = NO.subject.artifact
    way = (Step("data/raw/gpt4"), Step("data/scrubbed", "scrub", content=removal.content), Step("models:/x/1", "train"))
    taken = Taken(removal.origin, Use.CONTENT, (ref,), (removal.id,), way)
    sources = (
        SourceView(ref, removal.origin, Basis.DECLARED, "2023-03-02T10:00:00Z", "Lin", "ours", "a.pdf", True, (19,)),
    )
    case = replace(NO, answer=replace(NO.answer, taken=(taken,)), sources=sources)
    made = outline(case)
    assert (made.word, made.tone) == ("No, after a removal", "open")
    said = html(case)
    assert f"Removal {removal.id} claims that what is of that origin was taken out on it; the records do not" in said
    assert "scrub" in said
    assert "narrowed by a removal, see below" in said
    assert "if approved removals are believed" in said


def test_each_answer_has_a_word_of_its_own() -> None:
    only = replace(YES, answer=replace(YES.answer, contains=Contains.EVALUATION_ONLY))
    assert (outline(only).word, outline(YES).word, outline(NO).word) == ("Evaluation only", "Yes", "No")


def test_page_1_tells_what_aliases_there_were_when_there_is_none_now() -> None:
    item = replace(YES.history[0], kind="recalled", text="was recalled", entry=101)
    case = replace(YES, subject=replace(YES.subject, aliases=()), history=(item,))
    (aliases,) = (value for term, value in outline(case).facts.rows if term == "Aliases")
    assert aliases.lines[0].text == "none now"
    assert aliases.lines[1].text.startswith("was recalled: ")
    assert aliases.lines[1].text.endswith("(entry 101)")


def test_data_that_is_no_model_is_not_called_one() -> None:
    artifact = replace(NO.subject.artifact, type=ArtifactType.DATASET)
    said = html(replace(NO, subject=replace(NO.subject, artifact=artifact, model="", version="")))
    assert "to the data, over the lineage" in said
    assert "to the model" not in said.partition('id="words"')[0]
