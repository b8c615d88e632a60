"""The schema, once, for both databases: what SQLAlchemy creates and Alembic compares against.

Ids are small integers given out by the one writer under its lock. Tables that are only ever found by their key are
``WITHOUT ROWID`` in SQLite (their rows then lie in key order and are stored once). There are no foreign keys: the
writer is the only one who inserts, and every reader treats a missing row as damage.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()
_int = BigInteger().with_variant(Integer, "sqlite")


def _integer(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, _int, primary_key=key, autoincrement=False, nullable=False)


def _bytes(name: str, *, key: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, primary_key=key, nullable=False)


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=key, nullable=False)


def _keyed(name: str, *columns: Column[int] | Column[bytes] | Column[str]) -> Table:
    return Table(name, metadata, *columns, sqlite_with_rowid=False)


head = Table(
    "head",
    metadata,
    _integer("id", key=True),  # the revision of the schema (store.HEAD_ID): one row
    _integer("position"),  # number of entries
    _integer("recorded"),  # time of the last entry or checkpoint, microseconds UTC
    _bytes("frontier"),  # the Merkle tree's compact range
    _integer("epoch"),  # grows when what a source resolves to changes
    _integer("nodes"),  # the last ids given out, at the same time the counts
    _integer("runs"),
    _integer("datasets"),
    _integer("versions"),
    _integer("models"),
    _integer("pairsets"),
    _integer("sources"),
    _integer("origins"),
    _integer("namespaces"),
)

# some entries a row (lineage.ledger.body), of one transaction and so of one recording time
entry = Table(
    "entry",
    metadata,
    _integer("position", key=True),  # of the first
    _integer("count"),
    _integer("recorded"),
    _bytes("body"),
)

state = _keyed("state", _text("key", key=True), _text("value"))

namespace = Table("namespace", metadata, _integer("id", key=True), _text("name"))

dataset = Table(
    "dataset",
    metadata,
    _integer("id", key=True),
    _integer("namespace"),
    _text("name"),
    _integer("node"),  # the first version under this name, and the entry that named it
    _integer("entry"),
    _integer("last"),  # node recorded last under this name
    _integer("model"),  # 1 when some event called it a model
    Index("dataset_name", "name", "namespace", unique=True),
)

# versions beside the first, which stands in the dataset's own row
version = _keyed("version", _integer("dataset", key=True), _integer("node", key=True), _integer("entry"))

content = _keyed("content", _bytes("key", key=True), _integer("node"))

node = Table(
    "node",
    metadata,
    _integer("id", key=True),
    _integer("pairset"),  # what readers of it inherit; 0: nothing recorded of it yet
    _integer("made"),  # of a directory: what its makers and its own tags give it (its files get this); else 0
    _integer("run"),  # the first run that made it, 0: none
    _integer("source"),  # its own source, 0: none
    _integer("flags"),  # lineage.graph.rows
)

run_key = _keyed("run_key", _bytes("key", key=True), _integer("run"))

run = Table("run", metadata, _integer("id", key=True), _integer("entry"), _bytes("edges"))

reads = _keyed("reads", _integer("node", key=True), _integer("run", key=True))

# makers beside the first, which stands in the node's own row
made = _keyed("made", _integer("node", key=True), _integer("run", key=True))

member = _keyed(
    "member",
    _integer("directory", key=True),
    _integer("node", key=True),
)
Index("member_node", member.c.node, member.c.directory)

source = Table(
    "source",
    metadata,
    _integer("id", key=True),
    _integer("kind"),  # lineage.graph.rows
    _integer("node"),  # the node it stands for; of a generated one, the node of the model's name
    _integer("dataset"),  # the name it was first seen under
    _integer("base"),  # of a narrowed one, the source it narrows; else 0
    _text("origins"),  # of a narrowed one, the ids of the origins taken out, ascending, comma between
    _integer("tags"),  # how many different tags are on it: one that is missing is noticed
)
Index(
    "source_base",
    source.c.base,
    sqlite_where=text("base > 0"),
    postgresql_where=text("base > 0"),
)
Index(
    "source_generated",
    source.c.dataset,
    sqlite_where=text("kind = 1"),
    postgresql_where=text("kind = 1"),
)

pairset = Table(
    "pairset",
    metadata,
    _integer("id", key=True),
    _bytes("digest"),
    _bytes("pairs"),  # sorted, 4 bytes each
    _bytes("labels"),  # what they resolved to at `epoch`
    _integer("epoch"),
    Index("pairset_digest", "digest", unique=True),
)

origin = Table("origin", metadata, _integer("id", key=True), _text("value"))

tag = _keyed(
    "tag",
    _integer("source", key=True),
    _integer("origin", key=True),
    _integer("basis", key=True),
    _integer("entry", key=True),
)

taken = _keyed("taken", _integer("node", key=True), _integer("origin", key=True), _integer("basis", key=True))

removal = _keyed("removal", _integer("node", key=True), _integer("origin", key=True), _integer("source", key=True))

# one row for every epoch there was, so that a missing one is noticed
retag = Table("retag", metadata, _integer("epoch", key=True), _integer("source"))

act = _keyed("act", _integer("kind", key=True), _text("key", key=True), _integer("entry", key=True))

# further events of a run beside the first, which stands in its own row: with them the entries that a lineage
# rests on are found without reading the whole ledger
again = _keyed("again", _integer("run", key=True), _integer("entry", key=True))

# events that speak of a dataset version outside of any run, or list the files of a directory
spoken = _keyed("spoken", _integer("node", key=True), _integer("entry", key=True))

checkpoint = Table(
    "checkpoint",
    metadata,
    _integer("position", key=True),  # number of entries it seals
    _integer("recorded"),  # when it was made, microseconds UTC
    _text("note"),  # the signed note (lineage.ledger.note)
    _bytes("timestamp"),  # RFC 3161 token over the note; empty where none was asked for
)

# who may ask a server (lineage.graph.tokens); the secret itself is nowhere
token = _keyed(
    "token",
    _text("id", key=True),
    _text("name"),  # whom it stands for
    _bytes("secret"),  # sha256
    _text("role"),
    _text("namespaces"),  # JSON list
    _integer("made"),  # microseconds UTC, as are the two below; 0: never
    _text("made_by"),
    _integer("expires"),
    _integer("revoked"),
)

# jobs by name, for looking at: read from the entries when somebody looks (lineage.graph.jobs)
job = Table(
    "job",
    metadata,
    _integer("id", key=True),
    _text("namespace"),
    _text("name"),
    _integer("first"),  # entry that named it first
    _integer("last"),
    Index("job_name", "namespace", "name", unique=True),
)

job_run = _keyed(
    "job_run",
    _integer("job", key=True),
    _integer("happened", key=True),  # the time that the event stated, microseconds UTC
    _integer("entry", key=True),  # that named the run first
    _integer("run"),
)
Index("job_run_run", job_run.c.run, job_run.c.job)

# events of runs by the time that they state, read with the jobs
run_event = _keyed(
    "run_event",
    _integer("happened", key=True),  # microseconds UTC
    _integer("entry", key=True),
    _integer("type"),  # lineage.graph.timeline.TYPES
)

# names that stand for one thing, each way (symlinks): whether a run explains one is asked of all
same = _keyed("same", _integer("node", key=True), _integer("other", key=True))

# events that came from outside, by their bytes: one that is sent again is found here (lineage.graph.Graph.receive)
received = _keyed("received", _bytes("key", key=True), _integer("entry"))
