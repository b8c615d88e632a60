"""Nothing in a picture of paths lies on anything else, whatever the paths are; and text is as wide as it was measured."""

from __future__ import annotations

import itertools
import json
import time
import xml.etree.ElementTree as ET

import typst
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.evidence.case import CaseStep
from lineage.evidence.dossier.metrics import EM, FONT, WIDTHS, elide, width
from lineage.evidence.dossier.picture import NAME, NOTE, ROOM, Drawing, place
from lineage.evidence.dossier.svg import svg
from lineage.vocabulary import Use

names = st.one_of(
    st.sampled_from([f"data/{letter}" for letter in "abcdefghij"]),
    st.text(min_size=1, max_size=80),
    st.just("data/raw/" + "very-long-name/" * 20 + "part-0001.jsonl"),
)
steps = st.builds(
    CaseStep,
    artifact=names,
    run=st.sampled_from(["", "clean", "train", "a-run-with-a-long-name-that-goes-on-and-on-and-on-and-on"]),
    use=st.sampled_from([use.value for use in Use]),
    content=st.sampled_from(["", "md5:1", "md5:2"]),
    commit=st.just(""),
    time=st.sampled_from(["", "2023-03-04T10:00:00+00:00"]),
    by=st.just("Lin"),
    basis=st.sampled_from(["", "declared", "observed"]),
    entries=st.just(()),
)
MODEL = CaseStep("models:/seed-chat/7", "train", "content", "md5:f", "", "2023-03-06", "Jo", "observed", ())
paths = st.lists(st.lists(steps, min_size=0, max_size=11).map(lambda some: (*some, MODEL)), min_size=1, max_size=20)


def neat(drawing: Drawing) -> None:
    """Every box, label and line of a drawing is where it may be."""
    for item in drawing.items:
        left, right = item.x - item.width / 2, item.x + item.width / 2
        assert left >= 0
        assert right <= drawing.width
        assert item.y >= 0
        assert item.y + item.height <= drawing.height
        for line, size in zip(item.lines, (NOTE,) if item.kind == "label" else (NAME, NOTE), strict=True):
            assert width(line, size) <= item.width - 6
    for one, other in itertools.combinations(drawing.items, 2):
        apart = abs(one.x - other.x) >= (one.width + other.width) / 2 + 6
        below = one.y + one.height <= other.y - 6 or other.y + other.height <= one.y - 6
        assert apart or below, (one, other)
    for stroke in drawing.strokes:
        (x1, y1), (x2, y2) = stroke.start, stroke.end
        assert y1 <= y2
        # a line lies within the rectangle of its ends; in a row it is a lane: upright, apart from what stands there
        for item in drawing.items:
            beside = max(x1, x2) < item.x - item.width / 2 - 2 or min(x1, x2) > item.x + item.width / 2 + 2
            outside = y2 <= item.y or y1 >= item.y + item.height
            assert beside or outside, (stroke, item)
    heads = [stroke.end for stroke in drawing.strokes if stroke.arrow]
    for (x1, y1), (x2, y2) in itertools.combinations(heads, 2):
        assert abs(y1 - y2) > 7 or abs(x1 - x2) > 2  # arrows that end at one box share its edge


@settings(max_examples=60, deadline=None)
@given(paths)
def test_nothing_lies_on_anything(some: list[tuple[CaseStep, ...]]) -> None:
    neat(place(some))


def test_twenty_paths_of_twelve_steps_that_share_nothing() -> None:
    some = [
        (*(CaseStep(f"data/{p}/{s}", "run", "content", f"md5:{p}-{s}", "", "", "", "", ()) for s in range(11)), MODEL)
        for p in range(20)
    ]
    began = time.perf_counter()
    drawing = place(some)
    assert time.perf_counter() - began < 2
    neat(drawing)
    assert len(drawing.items) == 20 * 11 + 1
    assert drawing.width < 1400  # it grows downwards


def test_what_paths_share_is_drawn_once() -> None:
    def step(name: str) -> CaseStep:
        return CaseStep(name, "run", "content", f"md5:{name}", "", "", "", "", ())

    drawing = place([(step("a"), step("c"), step("d"), MODEL), (step("b"), step("c"), step("d"), MODEL)])
    assert sorted(item.full.partition(" ")[0] for item in drawing.items) == ["a", "b", "c", "d", "models:/seed-chat/7"]
    assert {item.kind for item in drawing.items} == {"source", "data", "model"}
    # what follows c is one straight line
    by_name = {item.full.partition(" ")[0]: item.x for item in drawing.items}
    assert abs(by_name["c"] - by_name["d"]) < 1
    assert abs(by_name["d"] - by_name["models:/seed-chat/7"]) < 1


@given(st.lists(steps, min_size=1, max_size=6), st.text(), st.text())
@settings(max_examples=60, deadline=None)
def test_a_picture_is_xml_whatever_is_written_in_it(path: list[CaseStep], title: str, words: str) -> None:
    text, drawing = svg([path], title, words)
    root = ET.fromstring(text)
    assert root.get("viewBox", "").split()[2:] == [root.get("width"), root.get("height")]
    assert abs(float(root.get("width", "0")) - drawing.width) < 0.06
    allowed = {"svg", "g", "title", "desc", "path", "rect", "text"}
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= allowed


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"]), max_size=300), st.floats(1, 400))
def test_what_is_cut_fits_and_keeps_both_ends(text: str, room: float) -> None:
    shown = elide(text, NAME, room)
    assert width(shown, NAME) <= room + 1e-6
    if shown != text and shown:
        head, _, tail = shown.partition("…") if "…" not in text else (shown[:0], "", "")
        assert text.startswith(head)
        assert text.endswith(tail)


def test_a_long_name_is_cut_in_its_middle() -> None:
    shown = elide("data/raw/2023/openai/gpt-4/batches/february/part-0001.jsonl", NAME, ROOM)
    assert shown == "data/raw/2…/part-0001.jsonl" or (
        shown.startswith("data/raw") and shown.endswith("part-0001.jsonl")
    )


def test_widths_are_those_of_the_font() -> None:
    """Measured again with the typst that is installed."""
    template = (
        f'#set text(font: "{FONT}", fallback: false, size: {EM}pt, kerning: false, ligatures: false)\n'
        "#let chars = json(bytes(sys.inputs.chars))\n"
        "#context [#metadata(chars.map(char => measure(char).width.pt())) <widths>]"
    )
    chars = [char for char in WIDTHS if char != " "]  # a space at an end has no width
    compiler = typst.Compiler(
        template.encode(), ignore_system_fonts=True, sys_inputs={"chars": json.dumps(chars, ensure_ascii=False)}
    )
    measured = json.loads(compiler.query("<widths>"))[0]["value"]
    assert [round(value) for value in measured] == [WIDTHS[char] for char in chars]
