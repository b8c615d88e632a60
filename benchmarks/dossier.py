"""How long a dossier takes, from the case to the bytes, by what is in it. Run: python -m benchmarks.dossier

The case of a store with 100,000 executions is timed with the questions; here it is there already. The large one has all
that is shown before lists are cut, and more: 40 paths of 12 steps, 2,000 events, 100,000 entries.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from msgspec.structs import replace

from lineage.evidence.case import Case, CaseStep, EntryRef, HistoryItem
from lineage.evidence.document import encode
from lineage.evidence.dossier.html import html
from lineage.evidence.dossier.pdf import pdf
from lineage.evidence.dossier.text import dossier_text
from tests.unit.evidence.cases import YES

GOALS = {"html": 2.0, "pdf": 5.0, "json": 2.0, "text": 2.0}
"""Seconds (issue 3, "Speed"); those of a whole dossier, the case included."""


def large() -> Case:
    """A case with more of everything than is shown."""
    model, when = YES.traces[0].path[-1], "2023-03-04T10:00:00+00:00"
    traces = []
    for number in range(60):
        steps = (
            CaseStep(f"data/{number % 7}/part-{i}", f"step-{i}", "content", f"md5:{number % 7:016x}{i:016x}", "a1" * 20,
                     when, "Lin Seed <lin@seed.example>", "observed", (number * 12 + i,))
            for i in range(11)
        )  # fmt: skip
        traces.append(replace(YES.traces[0], path=(*steps, model)))
    return replace(
        YES,
        traces=tuple(traces),
        history=tuple(HistoryItem(when, when, "executed", f"run-{n}", "ran", "Lin", n) for n in range(2000)),
        entries=tuple(EntryRef(n, "ab" * 32, when, "execution of a stage") for n in range(100_000)),
    )


def best(make: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of some runs."""
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        make()
        spent.append(time.perf_counter() - began)
    return min(spent)


def main() -> int:
    """Time every form of a small and a large case; 1 when one misses its goal."""
    forms: dict[str, Callable[[Case], object]] = {"text": dossier_text, "json": encode, "html": html, "pdf": pdf}
    missed = False
    for name, case in (("small", YES), ("large", large())):
        for form, make in forms.items():
            seconds = best(lambda make=make, case=case: make(case))  # type: ignore[misc]
            missed |= seconds > GOALS[form]
            print(f"{name:<6} {form:<5} {seconds * 1000:>8.1f} ms   goal {GOALS[form]:.0f} s")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
