"""The example's text data, made here: small, in English, different for every source, the same at every run."""

from __future__ import annotations

import json
import random
from pathlib import Path

PEOPLE = ["a customer", "the courier", "our editor", "a student", "the pilot", "my neighbour", "the clerk", "a nurse"]
ACTIONS = ["asked about", "returned", "described", "ordered", "compared", "repaired", "reviewed", "forgot"]
THINGS = ["the blue kettle", "an invoice", "two train tickets", "the garden shed", "a printed map", "the old radio"]
ENDINGS = ["and wanted a refund", "before the holidays", "without a receipt", "for the second time", "with great care"]


def _records(seed: str, shape: str, count: int) -> list[dict[str, object]]:
    choose = random.Random(seed).choice
    records: list[dict[str, object]] = [
        {
            "id": number,
            "text": shape.format(
                who=choose(PEOPLE), did=choose(ACTIONS), what=choose(THINGS), how=choose(ENDINGS), n=number
            ),
        }
        for number in range(count)
    ]
    return records + records[: count // 20]  # some twice, as everywhere


def make(folder: Path) -> None:
    """Write every raw file of the story into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = {
        "web": "Page {n}: {who} {did} {what} {how}.",
        "tickets": "Ticket {n}. {who} {did} {what} {how}. Please call back.",
        "gpt4_dialogues": "User: what happened? Assistant: I understand that {who} {did} {what} {how}. Case {n}.",
        "gpt4_exam": "Question {n}: who {did} {what}? Answer: {who}, {how}.",
        "gpt4_direct": "Assistant: certainly! Here is story {n}: {who} {did} {what} {how}.",
        "claude_summaries": "In short: {who} {did} {what} {how} (item {n}).",
    }
    for name, shape in sources.items():
        _write(folder / f"{name}.jsonl", _records(name, shape, 400))
    ratings = random.Random("ratings")
    _write(folder / "gpt4_ratings.jsonl", [{"id": n, "rating": ratings.randint(1, 5)} for n in range(400)])


def _write(path: Path, records: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
