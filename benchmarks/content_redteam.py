"""What a disguise hides: restricted records mixed into others, disguised, and searched for.

    python -m benchmarks.content_redteam [--records 20000] [--unrelated 1000000]

Prints the tables of docs/explanation/content.md: for each disguise and share of restricted records the record recall
and whether the dataset was found; and what is found in records that have nothing to do with the source.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lineage.content import Different, Index, IndexWriter, Key, fingerprints, normalise, records, search
from lineage.gate.tally import Threshold
from tests.redteam.corpus import Corpus
from tests.redteam.disguise import DISGUISES, Disguise, Rows

SHARES = (1.0, 0.1, 0.01, 0.001)
SHORT = 24


class Result(NamedTuple):
    """What was found of one disguised dataset."""

    recall: float
    """Share of the records holding restricted text that were found; of records long enough to compare."""
    wrong: int
    """Records found that hold none."""
    reached: bool
    """Whether the default threshold was reached."""
    number: int


def build(texts: list[str], where: Path) -> Index:
    """An index of one source."""
    key = Key(bytes(range(32)))  # which passages are chosen follows from it: the same at each run
    writer = IndexWriter(where, key)
    for first in range(0, len(texts), 4096):
        writer.add(fingerprints(normalise([text.encode() for text in texts[first : first + 4096]]), key))
    return Index.open(where, [("source", writer.finish("source.lgc"))], key)


def searched(index: Index, path: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """For each record of a file whether it was found, and whether it is long enough to compare; different content."""
    found, told, different = [], [], Different()
    for batch in records(path):
        prints, matches = search(index, normalise(batch.texts))
        hit = np.zeros(len(batch.texts), bool)
        hit[matches.record] = True
        different.add(matches.evidence, [0])
        found.append(hit)
        told.append(prints.letters >= SHORT)
    return np.concatenate(found), np.concatenate(told), different.records


def attack(index: Index, disguise: Disguise, rows: Rows, rng: random.Random) -> Result:
    """Disguise a dataset and search it."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "innocent"
        written = np.array(disguise.write(rows, path, rng))
        found, told, different = searched(index, path)
    if len(found) != len(written):
        raise AssertionError(f"{disguise.name}: {len(written)} records written, {len(found)} read")
    expected = written & told
    return Result(
        float((found & expected).sum() / max(1, expected.sum())),
        int((found & ~written).sum()),
        Threshold().reached(different, len(found)),
        len(found),
    )


def mixed(restricted: list[str], clean: list[str], share: float, rng: random.Random) -> Rows:
    """A dataset of as many records as there are clean ones, of which a share is restricted."""
    count = max(3, round(share * len(clean)))
    rows = [(text, True) for text in rng.sample(restricted, min(count, len(restricted)))]
    rows += [(text, False) for text in clean[: len(clean) - len(rows)]]
    return rng.sample(rows, len(rows))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--unrelated", type=int, default=1_000_000)
    asked = parser.parse_args()
    rng = random.Random(7)
    restricted, clean = Corpus(1).records(asked.records), Corpus(2).records(asked.records)
    with tempfile.TemporaryDirectory() as scratch:
        index = build(restricted, Path(scratch))
        print(f"| Disguise | {' | '.join(f'{share:.1%}' for share in SHARES)} | wrong |")
        print("|---" * (len(SHARES) + 2) + "|")
        for disguise in DISGUISES:
            cells, wrong, number = [], 0, 0
            for share in SHARES:
                result = attack(index, disguise, mixed(restricted, clean, share, rng), rng)
                cells.append(f"{result.recall:.1%}{'' if result.reached else ' missed'}")
                wrong, number = wrong + result.wrong, number + result.number
            print(f"| {disguise.name} | {' | '.join(cells)} | {wrong} |", flush=True)
        corpus, started, found, letters, different = Corpus(3), time.time(), 0, 0, Different()
        for _ in range(0, asked.unrelated, 10_000):
            texts = [text.encode() for text in corpus.records(10_000)]
            _, matches = search(index, normalise(texts))
            found += len(matches.record)
            different.add(matches.evidence, [0])
            letters += sum(map(len, texts))
        print(
            f"\n{asked.unrelated:,} unrelated records ({letters / asked.unrelated:.0f} bytes each): {found} found, "
            f"{different.records:.1f} records' worth of different content, "
            f"threshold {'reached' if Threshold().reached(different.records, asked.unrelated) else 'not reached'}; "
            f"{time.time() - started:.0f} s"
        )


if __name__ == "__main__":
    main()
