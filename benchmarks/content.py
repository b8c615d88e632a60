"""How fast content is indexed and found again, on one core, beside MinHash.

    python -m benchmarks.content [--records 100000] [--index 10000000]

Text of about 500 characters a record. Measured: fingerprints of whole records and of passages (from bytes in memory),
the same with reading, matching against an index of many records, bytes a record of that index, peak memory. Peers:
datasketch's MinHash where it is installed, and a MinHash in numpy, each with 128 permutations over the same text.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from lineage.content import Fingerprints, Index, IndexWriter, Key, exact, fingerprints, normalise, records, search
from lineage.content.fingerprint import anchors

KEY = Key(bytes(range(32)))
BATCH = 1024


def texts(count: int, seed: int) -> list[bytes]:
    """Records of about 500 characters."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(30_000)]
    return [(" ".join(rng.choices(words, k=78))[:499].capitalize() + ".").encode() for _ in range(count)]


def per_core(what: Callable[[list[bytes]], object], data: list[bytes], repeat: int = 5) -> float:
    """MB/s of processor time, the best of some runs."""
    size, best = sum(map(len, data)), 1e9
    for _ in range(repeat):
        started = time.process_time()
        for first in range(0, len(data), BATCH):
            what(data[first : first + BATCH])
        best = min(best, time.process_time() - started)
    return size / best / 1e6


def minhash(data: list[bytes]) -> None:
    """128 minima over word 5-grams, in numpy."""
    rng = np.random.default_rng(1)
    a, b = rng.integers(1, 2**32, 128, dtype=np.uint64), rng.integers(0, 2**32, 128, dtype=np.uint64)
    for text in data:
        words = np.array([hash(word) & 0xFFFFFFFF for word in text.split()], np.uint64)
        shingles = words[:-4] * np.uint64(31) + words[1:-3] * np.uint64(37) + words[4:]
        ((shingles[:, None] * a + b) >> np.uint64(32)).min(axis=0)


def datasketch(data: list[bytes]) -> None:
    """The library's own way."""
    from datasketch import MinHash

    for text in data:
        words = text.split()
        sketch = MinHash(num_perm=128)
        sketch.update_batch([b" ".join(words[i : i + 5]) for i in range(len(words) - 4)])


def synthetic(count: int, rng: np.random.Generator) -> Iterator[Fingerprints]:
    """Fingerprints as records of 500 characters have them: what is looked up are random numbers either way."""
    for _ in range(0, count, 100_000):
        record = np.sort(rng.integers(0, 100_000, 1_150_000))
        yield Fingerprints(
            rng.integers(1, 2**64, 100_000, dtype=np.uint64), np.full(100_000, 400),
            record, rng.integers(1, 2**64, len(record), dtype=np.uint64),
        )  # fmt: skip


def batches(prints: Fingerprints) -> Iterator[Fingerprints]:
    """The same in batches as a scan makes them."""
    for first in range(0, 98_304, 4096):
        low, high = np.searchsorted(prints.record, [first, first + 4096])
        yield Fingerprints(
            prints.exact[first : first + 4096],
            prints.letters[first : first + 4096],
            prints.record[low:high] - first,
            prints.anchors[low:high],
        )


def peak() -> int:
    """Most memory that was held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--index", type=int, default=10_000_000)
    asked = parser.parse_args()
    data = texts(asked.records, 1)
    print(f"{len(data):,} records of {sum(map(len, data)) / len(data):.0f} bytes")
    for name, what, part in (
        ("letters", normalise, 1),
        ("letters and whole records (exact)", lambda t: exact(normalise(t), KEY), 1),
        ("letters and passages (sketch)", lambda t: anchors(normalise(t), KEY), 1),
        ("letters and both", lambda t: fingerprints(normalise(t), KEY), 1),
        ("MinHash in numpy", minhash, 20),
        ("datasketch", datasketch, 50),
    ):
        try:
            print(f"  {name:<36} {per_core(what, data[: len(data) // part]):>7.0f} MB/s", flush=True)
        except ModuleNotFoundError as missing:
            print(f"  {name:<36} {missing}")
    with tempfile.TemporaryDirectory() as scratch:
        where = Path(scratch)
        lines = where / "data.jsonl"
        lines.write_bytes(b"".join(json.dumps({"text": text.decode()}).encode() + b"\n" for text in data))
        started = time.process_time()
        for batch in records(lines):
            fingerprints(normalise(batch.texts), KEY)
        took = time.process_time() - started
        print(f"  {'both, read from JSON lines':<36} {lines.stat().st_size / took / 1e6:>7.0f} MB/s")
        before = peak()
        rng, started = np.random.default_rng(7), time.time()
        writer = IndexWriter(where, KEY)
        for prints in synthetic(asked.index, rng):
            writer.add(prints)
        file = writer.finish("big.lgc")
        print(
            f"index of {file.records:,} records: {file.bytes / file.records:.1f} bytes a record, written in "
            f"{time.time() - started:.0f} s, peak memory {peak()} MB ({before} MB before)"
        )
        started = time.time()
        index = Index.open(where, [("big", file)], KEY)
        print(f"  opened and verified in {time.time() - started:.1f} s")
        for round_ in ("cold", "warm"):
            again = synthetic(asked.index, np.random.default_rng(7))
            queries = [next(again), next(synthetic(100_000, np.random.default_rng(99)))]
            for name, prints in zip(("all of them in it", "none of them in it"), queries, strict=True):
                small = list(batches(prints))
                started = time.process_time()
                found = sum(len(index.match(part).record) for part in small)
                took = time.process_time() - started
                print(f"  matching, {name}, {round_}: {98304 / took:,.0f} records/s ({found:,} found)", flush=True)
        small_index = IndexWriter(where, KEY)
        small_index.add(fingerprints(normalise(data[:1000]), KEY))
        index = Index.open(where, [("big", file), ("small", small_index.finish("small.lgc"))], KEY)
        started, found = time.process_time(), 0
        for batch in records(lines):
            found += len(search(index, normalise(batch.texts))[1].record)
        took = time.process_time() - started
        print(f"  scan of JSON lines, two sources: {len(data) / took:,.0f} records/s, {found:,} found")
        print(f"peak memory of all: {peak()} MB (pages of the mapped index included)")


if __name__ == "__main__":
    main()
