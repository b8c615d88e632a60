"""Jobs by name with their runs, namespaces, and events as they came: what people leaf through. No verdict rests on it.

The entries say it all; the tables `job`, `job_run` and `run_event` only make it findable. They are brought up to date
when somebody looks (`Jobs.catch_up`), some entries at a time, so that recording pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lineage.events import Event
from lineage.events.event import read
from lineage.events.naming import OUR_NAMESPACE
from lineage.graph import rows
from lineage.graph.keys import run_key
from lineage.graph.questions import Entry
from lineage.graph.timeline import PUT_EVENT, Timeline, type_number
from lineage.graph.write import head_of
from lineage.ledger import unpack
from lineage.ledger.clock import happened, moment_of
from lineage.store import Insert, Lookup, Store
from lineage.store.store import damaged

STATE = "jobs/read"
"""Key in the table `state` of how many entries were read."""
NEWEST = 2
"""Runs that tell how a dataset is now, of those that made it and of those that read it."""
AT_ONCE = 2_000
"""Entries read in one transaction: nobody who records waits longer for it than some 0.1 s."""

_JOBS = Lookup("SELECT name, namespace, id, first, last FROM job", "name", "text")
_PUT_JOB = Insert(
    "job",
    ("id", "namespace", "name", "first", "last"),
    ("bigint", "text", "text", "bigint", "bigint"),
    "ON CONFLICT (id) DO UPDATE SET last = excluded.last",
)
_KNOWN_RUNS = Lookup("SELECT run, job FROM job_run", "run")
_PUT_RUN = Insert("job_run", ("job", "happened", "entry", "run"), ("bigint",) * 4, "ON CONFLICT DO NOTHING")


class Job(NamedTuple):
    """A job, and the entries that named it first and last."""

    id: int
    namespace: str
    name: str
    first: int
    last: int


class Namespace(NamedTuple):
    """A namespace of datasets or jobs, and when it was first and last spoken of (ISO 8601, recording time)."""

    name: str
    first: str
    last: str


class Told(NamedTuple):
    """One event of a run."""

    position: int
    recorded: str
    """ISO 8601, UTC."""
    event: Event
    data: bytes


class Jobs:
    """See the module.

    Args:
        store: an open store, outside of any transaction.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.timeline = Timeline(store)

    def catch_up(self) -> int:
        """Read what was recorded since somebody looked last.

        Returns:
            The number of entries that are read now: all there are.
        """
        while True:
            with self._store.read():
                read_, end = self._read(), self._end()
            if read_ >= end:
                return end
            with self._store.write():
                start = self._read()  # somebody else may have looked meanwhile
                self._take(start, min(end, start + AT_ONCE))

    def _read(self) -> int:
        row = self._store.one("SELECT value FROM state WHERE key = ?", (STATE,))
        return int(row[0]) if row else 0

    def _end(self) -> int:
        return head_of(self._store).position

    def _take(self, start: int, end: int) -> None:
        if start >= end:
            return
        named = [
            (position, event)
            for position, event in self._events(start, end)
            if event.job is not None and event.job.namespace != OUR_NAMESPACE
        ]
        known = {
            (space, name): Job(id_, space, name, first, last)
            for name, space, id_, first, last in self._store.lookup(
                _JOBS, list({event.job.name for _, event in named if event.job})
            )
        }
        newest = self._store.one("SELECT max(id) FROM job")
        last_id = int(newest[0] or 0) if newest else 0
        told = []
        events = []
        for position, event in named:
            assert event.job is not None
            name = event.job.namespace, event.job.name
            job = known.get(name)
            if job is None:
                last_id += 1
                job = Job(last_id, *name, position, position)
            known[name] = job._replace(last=max(job.last, position))
            if event.run is not None:
                time = happened(event.time).microseconds
                told.append((job.id, time, position, run_key(event.run.run_id)))
                events.append((time, position, type_number(event.type)))
        self._store.insert(_PUT_JOB, [tuple(job) for job in known.values()])
        ids = {bytes(key): id_ for key, id_ in self._store.lookup(rows.RUN_BY_KEY, list({key for *_, key in told}))}
        seen = {(run, job) for run, job in self._store.lookup(_KNOWN_RUNS, list(ids.values()))}
        fresh = []
        for job_id, time, position, key in told:
            run = ids.get(key)
            if run is not None and (run, job_id) not in seen:
                seen.add((run, job_id))
                fresh.append((job_id, time, position, run))
        self._store.insert(_PUT_RUN, fresh)
        self._store.insert(PUT_EVENT, events)
        self._store.insert(rows.PUT_STATE, [(STATE, str(end))])

    def _events(self, start: int, end: int) -> Iterable[tuple[int, Event]]:
        for first, _, _, body in list(self._store.entries(start, end)):
            for position, data in enumerate(unpack(bytes(body)), first):
                if start <= position < end:
                    yield position, read(data)

    # what people ask

    def namespaces(self, *, datasets: bool = False) -> list[Namespace]:
        """Namespaces of datasets and of jobs, in order. `catch_up` first.

        Args:
            datasets: leave out those that have jobs alone.
        """
        sql = (
            "SELECT s.name, min(d.entry), max(d.entry) FROM dataset d JOIN namespace s ON s.id = d.namespace "
            "GROUP BY s.name"
        )
        if not datasets:
            sql += " UNION ALL SELECT namespace, min(first), max(last) FROM job GROUP BY namespace"
        with self._store.read():
            found: dict[str, tuple[int, int]] = {}
            for name, first, last in self._store.rows(sql):
                before = found.get(name, (first, last))
                found[name] = min(before[0], first), max(before[1], last)
            return [Namespace(name, self._when(a), self._when(b)) for name, (a, b) in sorted(found.items())]

    def count(self, namespace: str = "") -> int:
        """How many jobs there are, in one namespace or in all."""
        with self._store.read():
            row = self._store.one("SELECT count(*) FROM job WHERE ? = '' OR namespace = ?", (namespace, namespace))
            return int(row[0]) if row else 0

    def some(self, namespace: str = "", *, offset: int = 0, limit: int = 100) -> list[Job]:
        """Jobs, the one recorded last first."""
        with self._store.read():
            found = self._store.rows(
                "SELECT id, namespace, name, first, last FROM job WHERE ? = '' OR namespace = ? "
                "ORDER BY last DESC, id LIMIT ? OFFSET ?",
                (namespace, namespace, limit, offset),
            )
        return [Job(*row) for row in found]

    def find(self, namespace: str, name: str) -> Job | None:
        """A job by name."""
        with self._store.read():
            row = self._store.one(
                "SELECT id, namespace, name, first, last FROM job WHERE namespace = ? AND name = ?", (namespace, name)
            )
        return Job(*row) if row else None

    def like(self, text: str, limit: int, namespace: str = "", *, newest: bool = False) -> list[Job]:
        """Jobs whose name contains a text, whatever its case: by name, or the one recorded last first."""
        with self._store.read():
            found = self._store.rows(
                "SELECT id, namespace, name, first, last FROM job WHERE lower(name) LIKE ? ESCAPE '!' "
                "AND (? = '' OR namespace = ?) ORDER BY ? * last DESC, name, namespace LIMIT ?",
                (contained(text), namespace, namespace, int(newest), limit),
            )
        return [Job(*row) for row in found]

    def datasets_like(
        self, text: str, limit: int, namespace: str = "", *, newest: bool = False
    ) -> list[tuple[str, str, str]]:
        """(namespace, name, when it was first recorded) of datasets whose name contains a text, whatever its case: by
        name, or the newest first."""
        with self._store.read():
            found = self._store.rows(
                "SELECT s.name, d.name, d.entry FROM dataset d JOIN namespace s ON s.id = d.namespace "
                "WHERE lower(d.name) LIKE ? ESCAPE '!' AND (? = '' OR s.name = ?) "
                "ORDER BY ? * d.entry DESC, d.name, s.name LIMIT ?",
                (contained(text), namespace, namespace, int(newest), limit),
            )
            return [(space, name, self._when(entry)) for space, name, entry in found]

    def datasets(self, namespace: str, *, offset: int, limit: int) -> tuple[int, list[str]]:
        """(how many there are, some of their names in order) of the datasets of a namespace."""
        with self._store.read():
            of = "FROM dataset d JOIN namespace s ON s.id = d.namespace WHERE s.name = ?"
            count = self._store.one(f"SELECT count(*) {of}", (namespace,))
            found = self._store.rows(
                f"SELECT d.name {of} ORDER BY d.name LIMIT ? OFFSET ?",
                (namespace, limit, offset),
            )
        return int(count[0]) if count else 0, [name for (name,) in found]

    def dataset_entries(self, namespace: str, name: str) -> list[int]:
        """The entries that first named each version recorded under a name, in order."""
        with self._store.read():
            row = self._store.one(
                "SELECT d.id, d.entry FROM dataset d JOIN namespace s ON s.id = d.namespace "
                "WHERE s.name = ? AND d.name = ?",
                (namespace, name),
            )
            if row is None:
                return []
            return [int(row[1]), *(int(e) for (e,) in self._store.rows(
                "SELECT entry FROM version WHERE dataset = ? ORDER BY entry", (row[0],)
            ))]  # fmt: skip

    def lately(self, namespace: str, name: str) -> list[int]:
        """The entries that tell of a dataset as it is now, in order: what first named it, its newest runs, and what
        was said of it outside of runs."""
        with self._store.read():
            row = self._store.one(
                "SELECT d.entry, d.last FROM dataset d JOIN namespace s ON s.id = d.namespace "
                "WHERE s.name = ? AND d.name = ?",
                (namespace, name),
            )
            if row is None:
                return []
            first, last = row
            made = {run for _, _, _, run, *_ in self._store.lookup(rows.NODE_BY_ID, [last]) if run}
            made |= {run for _, run in self._store.lookup(rows.MADE, [last])}
            reads = [run for _, run in self._store.lookup(rows.READERS, [last])]
            runs = sorted({*sorted(made)[-NEWEST:], *sorted(reads)[-NEWEST:]})
            entries = {int(first), *(entry for _, entry in self._store.lookup(rows.SPOKEN, [last]))}
            entries |= {entry for _, entry, _ in self._store.lookup(rows.RUN_BY_ID, runs)}
            entries |= {entry for _, entry in self._store.lookup(rows.AGAIN, runs)}
            return sorted(entries)

    def run_count(self, job: Job) -> int:
        """How many runs of a job are recorded."""
        with self._store.read():
            row = self._store.one("SELECT count(*) FROM job_run WHERE job = ?", (job.id,))
            return int(row[0]) if row else 0

    def runs(self, job: Job, *, offset: int = 0, limit: int = 100) -> list[list[Told]]:
        """The runs of a job, the one that happened last first; each with its events in the order of recording."""
        with self._store.read():
            found = self._store.rows(
                "SELECT run FROM job_run WHERE job = ? ORDER BY happened DESC, entry DESC LIMIT ? OFFSET ?",
                (job.id, limit, offset),
            )
            return [self._told(run) for (run,) in found]

    def run(self, run_id: str) -> list[Told]:
        """The events of a run by its id; none when it is not recorded."""
        with self._store.read():
            found = self._store.lookup(rows.RUN_BY_KEY, [run_key(run_id)])
            return self._told(found[0][1]) if found else []

    def touching(self, dataset: tuple[str, str]) -> tuple[list[Job], list[Job]]:
        """The jobs some run of which made a dataset, under any of its versions, and those that read it."""
        with self._store.read():
            row = self._store.one(
                "SELECT d.id, d.node FROM dataset d JOIN namespace s ON s.id = d.namespace "
                "WHERE s.name = ? AND d.name = ?",
                dataset,
            )
            if row is None:
                return [], []
            nodes = [row[1], *(n for (n,) in self._store.rows("SELECT node FROM version WHERE dataset = ?", row[:1]))]
            first = {run for _, _, _, run, *_ in self._store.lookup(rows.NODE_BY_ID, nodes) if run}
            made = first | {run for _, run in self._store.lookup(rows.MADE, nodes)}
            reads = {run for _, run in self._store.lookup(rows.READERS, nodes)}
            return self._jobs_of(made, row[0], output=True), self._jobs_of(reads, row[0], output=False)

    def _jobs_of(self, runs: set[int], dataset: int, *, output: bool) -> list[Job]:
        # equal content under another name has the same makers and readers: only those that name this one are meant
        named = []
        for id_, _, edges in self._store.lookup(rows.RUN_BY_ID, sorted(runs)):
            inputs, outputs = rows.unpack_edges(bytes(edges))
            if any(edge[1] == dataset for edge in (outputs if output else inputs)):
                named.append(id_)
        ids = sorted({job for _, job in self._store.lookup(_KNOWN_RUNS, named)})
        found = self._store.lookup(Lookup("SELECT id, namespace, name, first, last FROM job", "id"), ids)
        return sorted((Job(*row) for row in found), key=lambda job: (job.namespace, job.name))

    def names_of(self, job: Job, *, newest: int = 20) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """(namespace, name) of what the newest runs of a job read, and of what they made."""
        inputs: dict[tuple[str, str], None] = {}
        outputs: dict[tuple[str, str], None] = {}
        for told in self.runs(job, limit=newest):
            for item in told:
                inputs |= dict.fromkeys((d.namespace, d.name) for d in item.event.inputs)
                outputs |= dict.fromkeys((d.namespace, d.name) for d in item.event.outputs)
        return sorted(inputs), sorted(outputs)

    def entries(self, positions: Sequence[int]) -> list[Entry]:
        """Entries by position."""
        with self._store.read():
            return [self._entry(position) for position in positions]

    def end(self) -> int:
        """Number of entries."""
        with self._store.lock:
            self._store.check()
            return self._end()

    def _told(self, run: int) -> list[Told]:
        ((_, first, _),) = self._store.lookup(rows.RUN_BY_ID, [run])
        again = [entry for _, entry in self._store.lookup(rows.AGAIN, [run])]
        out = []
        for position in (first, *again):
            entry = self._entry(position)
            out.append(Told(position, entry.recorded, read(entry.data), entry.data))
        return out

    def _entry(self, position: int) -> Entry:
        row = self._store.one(rows.ENTRY_AT, (position,))
        if row is None or position >= row[0] + row[1]:
            raise damaged(f"entry {position} is missing")
        return Entry(unpack(bytes(row[3]))[position - row[0]], moment_of(row[2]).isoformat())

    def _when(self, position: int) -> str:
        row = self._store.one(rows.ENTRY_AT, (position,))
        if row is None:
            raise damaged(f"entry {position} is missing")
        return moment_of(row[2]).isoformat()


def contained(text: str) -> str:
    """A pattern of LIKE that a text is contained in, its own signs taken as they are."""
    lower = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{lower}%"
