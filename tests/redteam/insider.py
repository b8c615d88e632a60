"""What an insider can do who owns the database, the repository and the clock, with our own code in hand.

Everything here is done as he would: on the rows, with the key when he has it, leaving everything else consistent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from lineage.config import load
from lineage.events import dataset_event, run_event
from lineage.events.event import act_event
from lineage.gate import Gate
from lineage.gate.verification import Verification, VerifyReport
from lineage.graph import Graph
from lineage.ledger import CHUNK, Frontier, leaf_hash, pack, unpack
from lineage.ledger.clock import moment_of
from lineage.ledger.key import PublicKey, SigningKey, load_key
from lineage.ledger.note import Checkpoint, checkpoint_text, parse, read_checkpoint, sign
from lineage.pipeline import Registry
from lineage.store import Store, create_store, open_store
from lineage.store.migrate import FIRST_ROWS
from lineage.store.tables import metadata
from lineage.vocabulary import (
    Artifact,
    ArtifactType,
    Basis,
    Content,
    Correction,
    Execution,
    Grant,
    Input,
    Kind,
    Member,
    Origin,
    Removal,
    Scope,
    Tag,
    Use,
)

SPACE, TIME = "dvc://seed", "2023-04-01T00:00:00Z"
GPT = Origin(Kind.THIRD_PARTY_MODEL_OUTPUT, "openai", "gpt-4", "azure-openai")
OWN = Origin(Kind.FIRST_PARTY)


class Kept(NamedTuple):
    """An entry as it is kept."""

    data: bytes
    recorded: int


def thing(name: str, *tags: Tag, model: bool = False, members: tuple[Member, ...] = ()) -> Artifact:
    digest = f"{int.from_bytes(name.encode(), 'big'):032x}"[-32:]
    kind = ArtifactType.MODEL if model else ArtifactType.DATASET
    content = Content(f"md5:{digest}.dir" if members else f"md5:{digest}", 1000, members=members)
    return Artifact(SPACE, name, content, kind, tags)


def stage(name: str, inputs: Iterable[Input], outputs: Iterable[Artifact], run: str = "") -> bytes:
    execution = Execution("dvc", f"dvc.yaml:{name}", commit="abc", author="Ann <ann@example.com>")
    return run_event(
        run_id=run or f"run-{name}",
        job=(SPACE, f"dvc.yaml:{name}"),
        time=TIME,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        execution=execution,
    )


FILE = thing("raw/1.txt")
assert FILE.content
RAW = thing("raw", members=(Member("1.txt", FILE.content.hash, 1000),))
GPT_TEXT, CLEAN, MODEL = thing("gpt.jsonl", Tag(GPT, by="Ann")), thing("clean"), thing("seed.pt", model=True)
MADE = thing("generated")
MIXED, OWNED, WRONG = thing("mix"), thing("own", Tag(OWN, by="Ann")), thing("wrong", Tag(GPT, by="Ann"))
assert MIXED.content
assert OWNED.content
assert WRONG.content
REMOVED = Removal("0123456789ABCDEFGHJKMNPQR1", OWN, MIXED.content.hash, (OWNED.content.hash,), "Ann <ann@example.com>")
TAKEN = Correction("0123456789ABCDEFGHJKMNPQR2", GPT, Basis.DECLARED, WRONG.content.hash, "Ann <ann@example.com>")


@dataclass
class Case:
    """A project whose ledger was honest until now."""

    root: Path
    url: str
    outside: list[str] = field(default_factory=list)
    """Checkpoints that somebody else kept."""
    trusted: list[str] = field(default_factory=list)
    """The key that somebody else was given."""

    def gate(self) -> Gate:
        return Gate.open(load(self.root))

    def keep(self) -> str:
        """Sign a checkpoint, and let somebody outside keep it."""
        with self.gate() as gate:
            note = gate.seal.checkpoint().note
            self.trusted = [str(gate.seal.public())]
        self.outside.append(note)
        return note

    def verify(
        self,
        *,
        given: Sequence[str] | None = None,
        keys: Sequence[str] | None = None,
        registries: Sequence[Registry] = (),
    ) -> VerifyReport:
        """Verification by somebody who kept the checkpoints and the key."""
        notes = self.outside if given is None else given
        trusted = self.trusted if keys is None else keys
        with self.gate() as gate:
            verification = Verification(gate.seal, gate.graph.seals, registries)
            kept = [(f"checkpoint {i}", note) for i, note in enumerate(notes)]
            return verification.run(kept, [PublicKey.read(k) for k in trusted], lambda *_: None)

    def database(self) -> Store:
        return open_store(self.url)

    def sql(self, *statements: str | tuple[str, Sequence[Any]]) -> None:
        """Change rows."""
        with self.database() as store, store.write():
            for statement in statements:
                text, args = (statement, ()) if isinstance(statement, str) else statement
                store.execute(text, args)

    def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Any]:
        with self.database() as store:
            return store.rows(sql, args)

    def entries(self) -> list[Kept]:
        with self.database() as store:
            return [Kept(data, recorded) for _, _, recorded, body in store.entries() for data in unpack(bytes(body))]

    def forge(self, change: Callable[[list[Kept]], None], *, head: bool = True) -> None:
        """Change the entries' rows, and with ``head`` the head row so that the tree fits."""
        entries = self.entries()
        change(entries)
        with self.database() as store, store.write():
            _put(store, entries)
            if head:
                _head(store, entries)

    def anew(self, change: Callable[[list[Kept]], None], *, key: SigningKey | None = None) -> None:
        """Make the whole ledger anew with other entries: entries, graph, tree, checkpoints everywhere."""
        entries = self.entries()
        state = self.rows("SELECT key, value FROM state")
        change(entries)
        with self.gate() as gate:
            signer, origin = key or load_key(gate.seal.settings.key), gate.seal.origin
        with self.database() as store:
            with store.write():
                for table in metadata.tables:
                    store.execute(f"DELETE FROM {table}")
                for statement in FIRST_ROWS:
                    store.execute(statement.replace("X''", "''") if "://" in self.url else statement)
            graph = Graph(store, accept_clock=True)
            done = 0
            while done < len(entries):
                end = done + 1
                while end < len(entries) and entries[end].recorded == entries[done].recorded:
                    end += 1
                now = moment_of(entries[done].recorded)
                graph.record([e.data for e in entries[done:end]], now=now, seal=_signer(origin, signer))
                done = end
            with store.write():
                for name, value in state:
                    store.execute("INSERT INTO state (key, value) VALUES (?, ?)", (name, value))

    def add(self, *events: bytes) -> None:
        """Record more, as the product does."""
        with self.gate() as gate:
            gate.record(events)

    def judge(self, version: int = 1) -> int:
        """A decision; the position of its entry."""
        with self.gate() as gate:
            gate.judge(MODEL, model="seed", subject=f"models:/seed/{version}", action="register")
            return gate.graph.position() - 1


def _signer(origin: str, key: SigningKey) -> Callable[[int, bytes, int], str]:
    def signs(size: int, root: bytes, time: int) -> str:
        lines = (f"time {moment_of(time).isoformat().replace('+00:00', 'Z')}", f"key {key.public}")
        return sign(checkpoint_text(Checkpoint(origin, size, root, lines)), [key])

    return signs


def _put(store: Store, entries: Sequence[Kept]) -> None:
    store.execute("DELETE FROM entry")
    at = 0
    while at < len(entries):
        end = at + 1
        while end < len(entries) and end - at < CHUNK and entries[end].recorded == entries[at].recorded:
            end += 1
        body = pack([e.data for e in entries[at:end]])
        store.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", (at, end - at, entries[at].recorded, body))
        at = end


def _head(store: Store, entries: Sequence[Kept]) -> None:
    frontier = Frontier()
    for entry in entries:
        frontier.append(leaf_hash(entry.data))
    store.execute(
        "UPDATE head SET position = ?, frontier = ?, recorded = ?",
        (frontier.size, frontier.pack(), entries[-1].recorded if entries else 0),
    )


def reseal(case: Case) -> None:
    """Sign every checkpoint of the store again, over the entries as they are now, with the right key."""
    entries = case.entries()
    with case.gate() as gate:
        key, origin = load_key(gate.seal.settings.key), gate.seal.origin
    with case.database() as store, store.write():
        for size, recorded, note in store.rows("SELECT position, recorded, note FROM checkpoint"):
            if size > len(entries):
                store.execute("DELETE FROM checkpoint WHERE position = ?", (size,))
                continue
            said = read_checkpoint(parse(note).text)
            frontier = Frontier()
            for entry in entries[:size]:
                frontier.append(leaf_hash(entry.data))
            text = checkpoint_text(Checkpoint(origin, size, frontier.root(), said.extensions))
            store.execute(
                "UPDATE checkpoint SET note = ?, recorded = ? WHERE position = ?", (sign(text, [key]), recorded, size)
            )


def settle(root: Path, url: str, ledger: str = "") -> None:
    """Write the settings."""
    lines = ['project = "seed"', f'store = "{url}"', *(["[ledger]", ledger] if ledger else [])]
    (root / "lineage.toml").write_text("\n".join(lines) + "\n")


def honest(root: Path, url: str) -> Case:
    """A project with a history: files, runs, a tag, a grant, a removal, decisions; checkpoints kept after each step."""
    root.mkdir(exist_ok=True)
    settle(root, url)
    (root / "lineage.policy.yaml").write_text("extends: lineagegate/packs/recommended\n")
    create_store(url).close()
    case = Case(root, url)
    when = datetime.now(timezone.utc).isoformat()
    case.add(
        dataset_event(GPT_TEXT, time=TIME),
        stage("collect", [], [RAW]),
        stage("clean", [Input(RAW, Use.CONTENT), Input(GPT_TEXT, Use.CONTENT)], [CLEAN]),
    )
    case.keep()
    case.add(stage("train", [Input(CLEAN, Use.FINE_TUNING)], [MODEL]))
    case.judge(1)
    case.add(act_event(Grant("g1", Scope(provider="openai"), "Bob", "C-1"), run_id="grant", time=when))
    case.add(stage("generate", [Input(MODEL, Use.CONTENT)], [MADE]), dataset_event(OWNED, time=TIME))
    case.keep()
    case.add(dataset_event(WRONG, time=TIME), stage("clean", [Input(WRONG, Use.CONTENT)], [CLEAN]))
    case.add(dataset_event(Artifact(SPACE, "own", thing("own, later").content), time=TIME))
    case.add(stage("mix", [Input(MADE, Use.CONTENT), Input(OWNED, Use.CONTENT)], [MIXED]))
    for act in (REMOVED, TAKEN):
        for said in (act, replace(act, approved_by="Bob <bob@example.com>")):
            case.add(act_event(said, run_id=f"{act.id}{said.approved_by[:3]}", time=when))
    case.add(stage("mix again", [Input(MADE, Use.CONTENT)], [MIXED]))
    case.judge(2)
    case.keep()
    case.add(stage("late", [Input(MIXED, Use.CONTENT)], [thing("late")]))
    return case


def at(case: Case, text: str) -> int:
    """The first entry that holds a text."""
    return next(i for i, entry in enumerate(case.entries()) if text.encode() in entry.data)
