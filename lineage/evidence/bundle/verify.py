#!/usr/bin/env python3
"""Checks a case bundle made by lineagegate. It needs Python 3.9 or newer and the `openssl` command, 3.0 or newer.

    python3 -I verify.py case.zip [--key KEY]... [--checkpoint FILE]... [--authority FILE] [--open openings.json]

It reads the bundle, writes nothing but temporary files, uses no network, and shares no code with the program that made
the bundle. It says what it checked in plain words, what is proven by that and what is not, and ends with VERIFIED
(exit status 0), NOT VERIFIED (1), CANNOT CHECK (2) or, where no key was given, VERIFIED within itself (3). Sources: RFC 6962 section 2.1 (hash tree, proofs), RFC 9162
section 2.1.4.2 (checking consistency), C2SP signed-note and tlog-checkpoint, RFC 8032 (Ed25519), RFC 3161 (timestamps).
"""

import sys

if __name__ == "__main__" and not sys.flags.isolated and not getattr(sys.flags, "safe_path", False):
    del sys.path[
        0
    ]  # the directory of this file: what lies beside it, out of a bundle perhaps, is no module of Python's

import base64
import hashlib
import json
import os
import re
import struct
import subprocess
import tempfile
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

BUNDLE_FORMAT = "lineagegate-bundle/1"
CASE_FORMAT = "lineagegate-case/1"
OPENINGS_FORMAT = "lineagegate-openings/1"
MOST_BYTES = 1 << 30  # of all members together
MOST_MEMBERS = 1000
TOKEN = re.compile(r'"\[withheld-[0-9]+\]"|\[(?:person|path|commit|text)-[0-9]+(?:\.[0-9]+)?\]')

Json = Any


class Wrong(Exception):  # noqa: N818 - what the reader is told
    """The bundle does not hold: it is not what it says it is."""


class Unable(Exception):  # noqa: N818 - what the reader is told
    """Something needed for checking is not here."""


def shown(text: object, most: int = 160) -> str:
    """Other people's words as a terminal may show them."""
    plain = str(text)
    if len(plain) > most:
        plain = f"{plain[: most - 20]}…{plain[-19:]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)


# -- the zip file ------------------------------------------------------------------------------------------------------
# Read here and not by a library: a zip file can show different members to different readers, and this reader refuses
# every file that leaves room for that.

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,60})?")
_LOCAL, _CENTRAL, _END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")


def members(data: bytes) -> dict[str, bytes]:
    """The members of a zip file that has exactly one reading.

    Raises:
        Wrong: anything beside plain members one after the other, their directory, and the end.
    """
    at = len(data) - _END.size
    if at < 0 or data[at : at + 4] != b"PK\x05\x06":
        raise Wrong(
            "it is not a zip file that ends where it should: it is cut short, or something was added at its end"
        )
    _, disk, first, here, count, size, start, comment = _END.unpack_from(data, at)
    if disk or first or here != count or comment or start + size != at:
        raise Wrong("the zip file's directory does not fit the file")
    if count > MOST_MEMBERS:
        raise Wrong(f"the zip file has {count} members")
    out: dict[str, bytes] = {}
    total = expected = 0
    seen: set[str] = set()
    for _ in range(count):
        if start + _CENTRAL.size > at:
            raise Wrong("the zip file's directory is cut short")
        (mark, made, _need, flags, method, time, date, crc, packed, plain, n_name, n_extra, n_comment, disk, _attr, mode,
         offset) = _CENTRAL.unpack_from(data, start)  # fmt: skip
        raw = data[start + _CENTRAL.size : start + _CENTRAL.size + n_name]
        start += _CENTRAL.size + n_name
        name = raw.decode("ascii", "replace")
        if mark != b"PK\x01\x02" or not _NAME.fullmatch(name) or ".." in name:
            raise Wrong(f"the zip file has a member with a name that is not allowed: {shown(repr(name))}")
        if name.lower() in seen:
            raise Wrong(f"the zip file has two members called {name}")
        seen.add(name.lower())
        if flags or method not in (0, 8) or n_extra or n_comment or disk or made >> 8 != 3 or mode >> 16 != 0o100644:
            raise Wrong(f"{name} is not a plain file in the zip file")
        if offset != expected:
            raise Wrong(f"there is something hidden in the zip file before {name}")
        header = data[offset : offset + _LOCAL.size]
        if len(header) < _LOCAL.size:
            raise Wrong(f"{name} is cut short")
        local = _LOCAL.unpack(header)
        if local[0] != b"PK\x03\x04" or local[2:] != (flags, method, time, date, crc, packed, plain, n_name, 0):
            raise Wrong(f"the zip file says two different things about {name}")
        body = offset + _LOCAL.size + n_name
        if data[offset + _LOCAL.size : body] != raw or body + packed > at:
            raise Wrong(f"the zip file says two different things about {name}")
        expected = body + packed
        total += plain
        if total > MOST_BYTES:
            raise Wrong(f"the zip file's members are larger than {MOST_BYTES} bytes together")
        content = data[body:expected]
        if method == 8:
            reader = zlib.decompressobj(-15)
            try:
                content = reader.decompress(content, plain + 1)
            except zlib.error:
                raise Wrong(f"{name} cannot be unpacked") from None
            if not reader.eof or reader.unused_data or reader.unconsumed_tail:
                raise Wrong(f"{name} does not unpack to what the zip file says")
        if len(content) != plain or zlib.crc32(content) != crc:
            raise Wrong(f"{name} is not what the zip file says: a byte of it was changed")
        out[name] = content
    if start != at or expected != at - size:
        raise Wrong("there is something hidden in the zip file beside its members")
    return out


# -- JSON --------------------------------------------------------------------------------------------------------------


def parsed(data: bytes, what: str) -> Json:
    """A JSON document; of a name that stands twice in one object only the last counts, so it may not."""

    def pairs(items: list[tuple[str, Json]]) -> dict[str, Json]:
        out = dict(items)
        if len(out) != len(items):
            raise Wrong(f"{what} says something twice")
        return out

    def constant(text: str) -> Json:
        raise Wrong(f"{what} holds {text}, which is not JSON")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError):
        raise Wrong(f"{what} cannot be read as JSON") from None


# -- the hash tree (RFC 6962 section 2.1) ------------------------------------------------------------------------------


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(size: int, leaves: dict[int, bytes], hashes: dict[tuple[int, int], bytes]) -> bytes:
    """The root that follows from some leaves and from the hashes of the ranges of entries between them.

    The ranges are the audit paths of all the leaves (RFC 6962 section 2.1.1), each hash once: where a range holds no
    leaf that is known, its hash is given; otherwise it is split as the RFC splits it, and both halves are computed.
    """
    positions = sorted(leaves)

    def root(start: int, end: int, low: int, high: int) -> bytes:
        if low == high:  # no known leaf in it
            given = hashes.pop((start, end), None)
            if given is None:
                raise Wrong(f"the proof lacks the hash of entries {start} to {end - 1}")
            return given
        if end - start == 1:
            return leaves[start]
        half = 1 << (end - start - 1).bit_length() - 1
        middle = low
        while middle < high and positions[middle] < start + half:
            middle += 1
        return node_hash(root(start, start + half, low, middle), root(start + half, end, middle, high))

    if positions and not (positions[0] >= 0 and positions[-1] < size):
        raise Wrong(f"entry {positions[-1]} is not among the {size} that the checkpoint covers")
    found = root(0, size, 0, len(positions))
    if hashes:
        raise Wrong("the proof holds hashes that belong nowhere")
    return found


def check_consistency(first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2: the tree of ``first`` leaves is the beginning of the tree of ``second`` leaves."""
    problem = Wrong(
        f"the record of {second} entries is not a continuation of the record of {first} entries: it was rewritten"
    )
    if first == second:
        if first_root != second_root or proof:
            raise Wrong(f"two checkpoints of {first} entries fix different records: the record was rewritten")
        return
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path or first < 1:
        raise problem
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise problem
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            sr = node_hash(sr, c)
        fn >>= 1
        sn >>= 1
    if sn or fr != first_root or sr != second_root:
        raise problem


# -- signed notes and keys (C2SP signed-note, tlog-checkpoint) ---------------------------------------------------------


class Key(NamedTuple):
    """A verifier key: ``name+id+key``."""

    name: str
    id: bytes
    public: bytes
    text: str


class Note(NamedTuple):
    """A signed note."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]  # name, key id, signature


class Checkpoint(NamedTuple):
    """What a checkpoint fixes."""

    origin: str
    size: int
    root: bytes
    note: Note


def read_key(text: str) -> Key:
    parts = text.strip().split("+", 2)
    try:
        name, identity, blob = parts[0], bytes.fromhex(parts[1]), base64.b64decode(parts[2], validate=True)
    except (IndexError, ValueError):
        raise Wrong(f"this is not a verifier key: {shown(text)}") from None
    if not name or len(blob) != 33 or blob[0] != 1:
        raise Wrong(f"this is not an Ed25519 verifier key: {shown(text)}")
    if hashlib.sha256(name.encode() + b"\n" + blob).digest()[:4] != identity:
        raise Wrong(f"the verifier key of {shown(name)} does not fit its own id: it was changed")
    return Key(name, identity, blob[1:], text.strip())


def read_note(data: bytes, what: str) -> Note:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Wrong(f"{what} is not a signed note") from None
    body, mark, tail = text.rpartition("\n\n")
    if not mark or not tail.endswith("\n") or any(ord(c) < 32 and c != "\n" for c in text):
        raise Wrong(f"{what} is not a signed note")
    signatures = []
    for line in tail[:-1].split("\n"):
        parts = line.split(" ")
        try:
            if len(parts) != 3 or parts[0] != "—" or not parts[1]:
                raise ValueError
            raw = base64.b64decode(parts[2], validate=True)
            if len(raw) < 5:
                raise ValueError
        except ValueError:
            raise Wrong(f"{what} has a signature line that cannot be read") from None
        signatures.append((parts[1], raw[:4], raw[4:]))
    return Note(f"{body}\n", tuple(signatures))


def read_checkpoint(data: bytes, what: str) -> Checkpoint:
    note = read_note(data, what)
    lines = note.text.split("\n")
    try:
        origin, size, root = lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)
        if str(size) != lines[1] or len(root) != 32 or not origin:
            raise ValueError
    except (IndexError, ValueError):
        raise Wrong(f"{what} is not a checkpoint") from None
    return Checkpoint(origin, size, root, note)


_KEPT = re.compile(r"(?:[^\n]+\n)+\n+(?:— [^\n]+\n)+")


def kept(data: bytes, what: str) -> list[bytes]:
    """The signed notes in a file that somebody kept, without what mail and editors do to lines: CRLF, blank lines
    around, no end of the last line.

    Raises:
        Unable: there is something else in it.
    """
    text = data.decode("utf-8", "replace").lstrip("\ufeff").replace("\r\n", "\n") + "\n"
    notes = [re.sub(r"\n\n+", "\n\n", match) for match in _KEPT.findall(text)]
    if not notes or _KEPT.sub("", text).strip():
        raise Unable(f"{what} is not a checkpoint, or holds something else too; this says nothing about the bundle")
    return [note.encode("utf-8") for note in notes]


def signers(note: Note, keys: Iterable[Key], what: str) -> list[Key]:
    """Those of the keys that signed a note. A signature by one of them that does not hold is never passed over."""
    out = []
    for key in keys:
        for name, identity, signature in note.signatures:
            if name == key.name and identity == key.id:
                if not signed(key.public, signature, note.text.encode("utf-8")):
                    raise Wrong(
                        f"the signature of {shown(key.name)} under {what} does not hold: the text or the signature was changed"
                    )
                out.append(key)
    return out


# -- openssl -----------------------------------------------------------------------------------------------------------


def openssl(arguments: Sequence[str], files: dict[str, bytes]) -> tuple[int, str]:
    """Run openssl in an empty directory that holds the files: exit status, and what it printed."""
    with tempfile.TemporaryDirectory(prefix="verify-") as directory:
        for name, content in files.items():
            Path(directory, name).write_bytes(content)
        environment = {k: v for k, v in os.environ.items() if k in ("PATH", "SYSTEMROOT", "TEMP", "TMP")}
        environment["LC_ALL"] = "C"
        try:
            done = subprocess.run(  # noqa: S603 - fixed arguments, file names of our own
                ["openssl", *arguments],  # noqa: S607 - found on PATH, as people have it
                cwd=directory, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise Unable("the command `openssl` is not there; install OpenSSL 3.0 or newer") from None
        except (OSError, subprocess.SubprocessError) as error:
            raise Unable(f"the command `openssl` cannot be run: {error}") from None
    return done.returncode, done.stdout.decode("utf-8", "replace")


def signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature holds."""
    der = bytes.fromhex("302a300506032b6570032100") + public
    pem = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der) + b"\n-----END PUBLIC KEY-----\n"
    status, said = openssl(
        ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "message", "-sigfile", "signature"],
        {"key.pem": pem, "message": message, "signature": signature},
    )
    return status == 0 and "Verified Successfully" in said


def try_openssl() -> str:
    """Which openssl this is, tried with RFC 8032's test 2: it must accept the signature and refuse a changed one."""
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    _, version = openssl(["version"], {})
    version = version.strip().split("\n")[0]
    if not signed(public, signature, b"\x72") or signed(public, signature, b"\x73"):
        raise Unable(f"this openssl ({shown(version)}) cannot check Ed25519 signatures; install OpenSSL 3.0 or newer")
    return version


_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def check_timestamp(token: bytes, stamped: bytes, authority: bytes) -> datetime:
    """The time that an RFC 3161 token states, once the token is found to be over these bytes and by this authority.

    The authority's certificate is checked as of that time: it may have expired since.
    """
    form = ["-token_in"] if _is_token(token) else []
    status, said = openssl(["ts", "-reply", "-in", "token", *form, "-text"], {"token": token})
    match = re.search(r"^Time stamp: (\w{3}) +(\d+) (\d\d):(\d\d):(\d\d)(?:\.\d+)? (\d{4}) GMT", said, re.M)
    if status or not match or match.group(1) not in _MONTHS:
        raise Wrong("the timestamp cannot be read")
    month, day, hour, minute, second, year = match.groups()
    time = datetime(
        int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=timezone.utc
    )
    status, said = openssl(
        ["ts", "-verify", "-data", "data", "-in", "token", *form, "-CAfile", "authority.pem", "-partial_chain", "-attime", str(int(time.timestamp()))],
        {"token": token, "data": stamped, "authority.pem": authority},
    )  # fmt: skip
    if status or "Verification: OK" not in said:
        reason = next((line for line in said.split("\n") if "error:" in line or "failed" in line.lower()), "")
        raise Wrong(
            f"the timestamp is not over this checkpoint, or not by this authority ({shown(reason or 'openssl refused it')})"
        )
    return time


def _is_token(der: bytes) -> bool:
    """Whether it is a bare token; else it is an authority's whole answer (RFC 3161 section 2.4.2)."""
    if len(der) < 4 or der[0] != 0x30:
        raise Wrong("the timestamp cannot be read")
    skip = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    return der[skip : skip + 1] == b"\x06"


# -- what the events say -----------------------------------------------------------------------------------------------

Node = str
"""What lineage goes by: a content key, or a name where there is no content or it is too small to mean anything."""

_TESTED = ("content", "base-model")
"""Uses of a model that is being evaluated."""
_ACTS = {
    "decide": "decision", "grant": "grant", "removal": "removal", "correction": "correction", "registry": "change",
    "policy": "policy", "access": "access",
}  # fmt: skip
"""Jobs of what the gate and people say, and what their facets hold."""
_TRIVIAL = {
    "md5:d41d8cd98f00b204e9800998ecf8427e", "md5:68b329da9893e34099c7d8ad5cb9c940",
    "md5:99914b932bd37a50b983c5e7c90ae93b", "md5:8a80554c91d9fca8acb82f023de02f11",
    "md5:d751713988987e9331980363e24189ce", "md5:58e0494c51d30eb3494f7c9198986bb9",
    "md5:37a6259cc0c1dae299a7866489dff0bd", "md5:d751713988987e9331980363e24189ce.dir",
}  # fmt: skip


class Edge(NamedTuple):
    """A dataset in an event."""

    node: Node
    name: str
    full: str
    """Namespace and name."""
    use: str
    model: bool


class Run:
    """A run, over all events that speak of it."""

    def __init__(self) -> None:
        self.inputs: set[Edge] = set()
        self.outputs: set[Edge] = set()
        self.entries: set[int] = set()
        self.link = False
        """Whether it is no run, but says that names are of one thing."""

    def explains(self, node: Node) -> bool:
        """Whether it made this from data: not from evaluation alone, and not from itself."""
        return (
            not self.link
            and any(e.use != "evaluation" for e in self.inputs)
            and all(e.node != node for e in self.inputs)
        )


class Said(NamedTuple):
    """A tag in an event."""

    entry: int
    node: Node
    hash: str
    origin: dict[str, str]
    basis: str
    by: str
    reason: str
    evidence: str


class Label(NamedTuple):
    """An origin that arrives somewhere, in a use."""

    origin: tuple[tuple[str, str], ...]
    use: str
    basis: str


class Claim(NamedTuple):
    """A removal or correction as these entries have it: a claim, and approvals of that very claim."""

    kind: str
    act: Json
    entries: list[int]
    claims: list[int]
    """Those of the entries that claim it."""
    approvals: list[int]
    """Those by which somebody else approved it."""
    own: bool
    """Whether anybody approved it at all."""

    @property
    def agreed(self) -> bool:
        return bool(self.claims and self.approvals)


class Place(NamedTuple):
    """Where a walk against the stream is."""

    node: Node
    full: bool
    """What its readers get; else only what it was made of, which is what a directory gives to its files (law 7)."""
    use: str
    """In which something leaves here that arrives at the end in the use that is looked for."""
    removed: "frozenset[int]"
    """Removals that speak of a content between here and the end."""


class Arrived(NamedTuple):
    """What reaches a node in these entries."""

    labels: "set[Label]"
    undeclared: "set[Node]"
    """Sources that nobody spoke for."""
    tags: "list[Said]"
    """Those in force on anything that it was made from, also where a removal took it out."""
    cut: "dict[int, set[int]]"
    """By removal, the entries that name what it took out on some way."""


class Record:
    """What a set of entries says, read as the ledger's software reads it (docs: SEMANTICS, laws 1 to 8)."""

    def __init__(self, entries: dict[int, Json]) -> None:
        self.events = entries
        self.runs: dict[str, Run] = {}
        self.tags: list[Said] = []
        self.files: dict[Node, set[Node]] = {}
        self.acts: dict[int, tuple[str, Json]] = {}
        self.names: dict[Node, str] = {}
        self.by_name: dict[str, set[Node]] = {}
        """What has no content that means anything, by its name for people."""
        self.alone: set[Node] = set()
        self.bound: set[tuple[str, str]] = set()
        """Names for people and content keys that an entry states together; no content: an empty key."""
        self.claims: list[Claim] = []
        self.same: dict[Node, set[Node]] = {}
        self._lists: dict[str, set[tuple[str, str]]] = {}
        for position in sorted(entries):
            try:
                self._read(position, entries[position])
            except (KeyError, TypeError, AttributeError, ValueError, IndexError):
                raise Wrong(f"entry {position} is not an event that can be read") from None
        # one content under two names has the same files under both, whichever entry listed them
        self.bound |= {
            (f"{name}/{path}", file) for name, hash_ in self.bound for path, file in self._lists.get(hash_, ())
        }
        self.made: dict[Node, list[Run]] = {}
        self.read: dict[Node, list[Run]] = {}
        self.holders: dict[Node, list[Node]] = {}
        self.on: dict[Node, list[Said]] = {}
        self.uses = {"content"}
        for run in self.runs.values():
            for node in {e.node for e in run.outputs}:
                self.made.setdefault(node, []).append(run)
            for node in {e.node for e in run.inputs}:
                self.read.setdefault(node, []).append(run)
            self.uses |= {e.use for e in run.inputs}
        for directory, files in self.files.items():
            for file in files:
                self.holders.setdefault(file, []).append(directory)
        self._agree()
        for tag in self.tags:
            if not self._taken(tag):
                self.on.setdefault(tag.node, []).append(tag)
        self.removals = [c for c in self.claims if c.kind == "removal" and c.agreed and not self.void(c.act)]
        self._narrowed: dict[Node, set[int]] = {}
        for number, claim in enumerate(self.removals):
            self._narrowed.setdefault(claim.act["content"], set()).add(number)

    def _read(self, position: int, event: Json) -> None:
        run, job = event.get("run"), event.get("job") or {}
        if job.get("namespace") == "lineagegate" and job.get("name") in _ACTS:
            key = _ACTS[job["name"]]
            facet = ((run or {}).get("facets") or {}).get(f"lineage_{'registry' if key == 'change' else key}")
            if facet is not None:
                self.acts[position] = key, facet[key]
            for dataset in (*(event.get("inputs") or ()), *(event.get("outputs") or ())):
                content = (dataset.get("facets") or {}).get("lineage_content") or {}
                self.bound.add((display(dataset["namespace"], dataset["name"]), content.get("hash", "")))
            return
        inputs, outputs, one = event.get("inputs") or (), event.get("outputs") or (), event.get("dataset")
        read = [name for dataset in (*inputs, *outputs) for name in _made_from(dataset)]
        made = []
        for told in ((job.get("facets") or {}).get("lineage") or {}).get("entries") or ():
            read += _inputs(told)
            made += _inputs({"inputs": [told]})
        key = ""
        if run is not None:
            key = f"run {run['runId']}"
        elif job and (inputs or outputs or read or made):
            key = f"job {job['namespace']}/{job['name']}"
        if one is not None:
            edge = self._edge(position, one)
            if from_ := _made_from(one):
                found = self._run(key or f"said {edge.node}", position)
                found.outputs.add(edge)
                found.inputs.update(self._edge(position, name) for name in from_)
                if not key:  # it is said to be made from everything that this event names
                    found.inputs.update(self._edge(position, name) for name in (*inputs, *read))
        if key:
            found = self._run(key, position)
            found.inputs.update(self._edge(position, dataset) for dataset in (*inputs, *read))
            found.outputs.update(self._edge(position, dataset) for dataset in (*outputs, *made))
        for dataset in (*inputs, *outputs, *((one,) if one is not None else ())):
            self._link(position, dataset)

    def _run(self, key: str, position: int) -> Run:
        found = self.runs.setdefault(key, Run())
        found.entries.add(position)
        return found

    def _link(self, position: int, dataset: Json) -> None:
        """Other names of a dataset: labels travel between them, and from a content to the name that it was seen under."""
        facets = dataset.get("facets") or {}
        others = list((facets.get("symlinks") or {}).get("identifiers") or ())
        if before := (facets.get("lifecycleStateChange") or {}).get("previousIdentifier"):
            others.append(before)
        own, seen = _bare(dataset), self._edge(position, dataset)
        name = canonical(f"{own['namespace']}/{own['name']}")
        for other in others:
            if canonical(f"{other['namespace']}/{other['name']}") == name:
                continue
            one, two = self._edge(position, own), self._edge(position, _bare(other))
            both = self._run(f"same {min(one.node, two.node)} {max(one.node, two.node)}", position)
            both.link = True
            both.inputs |= {one, two}
            both.outputs |= {one, two}
            self.same.setdefault(one.node, set()).add(two.node)
            self.same.setdefault(two.node, set()).add(one.node)
            if seen.node != one.node:
                found = self._run(f"seen {seen.node} {one.node}", position)
                found.link = True
                found.inputs.add(seen._replace(use="content", model=False))
                found.outputs.add(one)

    def _edge(self, position: int, dataset: Json) -> Edge:
        facets = dataset.get("facets") or {}
        content = facets.get("lineage_content") or {}
        name = display(dataset["namespace"], dataset["name"])
        hash_ = content.get("hash", "")
        full = canonical(f"{dataset['namespace']}/{dataset['name']}")
        node = (f"{full}#{hash_}" if _trivial(content) else hash_) if hash_ else full
        self.names.setdefault(node, name)
        self.bound.add((name, hash_))
        if node != hash_:
            self.by_name.setdefault(name, set()).add(node)
        self.alone.add(node)
        for member in content.get("members") or ():
            self._lists.setdefault(hash_, set()).add((member["path"], member["hash"]))
            if not _trivial(member) and member["hash"] != node:
                self.files.setdefault(node, set()).add(member["hash"])
                self.names.setdefault(member["hash"], f"{name}/{member['path']}")
        for tag in (facets.get("lineage_origin") or {}).get("tags") or ():
            if tag["origin"]["kind"] != "undeclared":
                self.tags.append(
                    Said(
                        position,
                        node,
                        hash_,
                        stated(tag["origin"]),
                        tag.get("basis", "declared"),
                        tag.get("by", ""),
                        tag.get("reason", ""),
                        tag.get("evidence", ""),
                    )
                )
        use = ((dataset.get("inputFacets") or {}).get("lineage_use") or {}).get("use", "content")
        model = str((facets.get("datasetType") or {}).get("datasetType", "")).upper() == "MODEL"
        return Edge(node, name, full, use, model)

    def nodes(self, name: str, content: str) -> set[Node]:
        """What a name and a content key stand for: the content, or the name where content means nothing or is unknown."""
        if (
            name.endswith("/?") and not content
        ):  # a file of which the record does not know where in its directory it lies
            return {file for files in self.files.values() for file in files}
        named = {n for n in self.by_name.get(name, ()) if (n.endswith("#" + content) if content else "#" not in n)}
        return named | ({content} if content in self.names else set()) or {content or name}

    def _agree(self) -> None:
        """Which removals and corrections there are: sayings that differ in anything but the approval are two claims."""
        found: dict[str, Claim] = {}
        for position, (kind, act) in self.acts.items():
            if kind not in ("removal", "correction"):
                continue
            key = json.dumps([kind, *sorted(_unapproved(act).items())], sort_keys=True)
            claim = found.setdefault(key, Claim(kind, act, [], [], [], False))
            claim.entries.append(position)
            if not act.get("approvedBy"):
                claim.claims.append(position)
            elif not same_person(act["approvedBy"], act["claimedBy"]):
                claim.approvals.append(position)
            found[key] = claim._replace(own=claim.own or bool(act.get("approvedBy")))
        self.claims = list(found.values())

    def _taken(self, tag: Said) -> bool:
        """Whether a correction in force took a tag back."""
        return any(
            c.kind == "correction" and c.agreed and c.act["content"] == tag.node and c.act["basis"] == tag.basis
            and stated(c.act["origin"]) == tag.origin
            for c in self.claims
        )  # fmt: skip

    def void(self, removal: Json) -> bool:
        """Whether a match says that what a removal speaks of is still there, in the content or in a file of it."""
        inside, waiting = set(), [removal["content"]]
        while waiting:
            node = waiting.pop()
            if node not in inside:
                inside.add(node)
                waiting += self.files.get(node, ())
        gone = removal["origin"]
        return any(
            tag.basis == "matched" and tag.origin["kind"] == gone["kind"]
            and all(not gone.get(f) or tag.origin.get(f, gone[f]) == gone[f] for f in ("provider", "service"))
            for node in inside for tag in self.on.get(node, ())
        )  # fmt: skip

    def explained(self, node: Node) -> bool:
        """Whether a run in these entries made it from data, under any of its names, or somebody spoke for another (law
        8)."""
        others, waiting = {node}, [node]
        while waiting:
            new = self.same.get(waiting.pop(), set()) - others
            others |= new
            waiting += new
        others.remove(node)
        return self._made(node) or any(self._made(other) or self.spoken(other) for other in others)

    def _made(self, node: Node) -> bool:
        """Whether a run made it from data, or it is a file of a directory that stands for it."""
        if any(run.explains(node) for run in self.made.get(node, ())):
            return True
        if self.files.get(node):
            return False
        for directory in self.holders.get(node, ()):
            makers = [run for run in self.made.get(directory, ()) if run.explains(directory)]
            if not makers or any(all(e.node != node for e in run.inputs) for run in makers):
                return True
        return False

    def undeclared(self, node: Node) -> bool:
        """Whether it is a source in these entries that nobody spoke for."""
        return node in self.alone and not self.spoken(node) and not self.explained(node)

    def spoken(self, node: Node) -> bool:
        """Whether somebody spoke for it: what others outside say of it (``imported``) is not enough (law 8)."""
        return any(tag.basis != "imported" for tag in self.on.get(node, ()))

    def arrived(self, end: Node) -> Arrived:
        """Everything that reaches a node in these entries, in every use, less what removals in force took out on every
        way (laws 1, 2 and 5 to 8).
        """
        found = Arrived(set(), set(), [], {})
        nodes: set[Node] = set()
        for use in self.uses:
            reached: dict[tuple[Node, bool, str], list[frozenset[int]]] = {}
            waiting = [Place(end, True, use, frozenset())]
            while waiting:
                place = waiting.pop()
                before = reached.setdefault(place[:3], [])
                if any(removed <= place.removed for removed in before):  # another way here, past fewer removals
                    continue
                before.append(place.removed)
                self._own(place, use, found)
                nodes.add(place.node)
                waiting += [there for there, *_ in self.earlier(place)]
        found.tags.extend(tag for node in sorted(nodes) for tag in self.on.get(node, ()))
        return found

    def _own(self, place: Place, use: str, found: Arrived) -> None:
        """Note what a place does not get from another: its own tags, and what a model generated here."""
        if place.use != "content":
            return
        if self.undeclared(place.node):
            found.undeclared.add(place.node)
        for tag in self.on.get(place.node, ()):
            if gone := self.cut(place, tag.origin, tag.node):
                for number in gone:
                    found.cut.setdefault(number, set()).add(tag.entry)
            else:
                found.labels.add(Label(_origin(tag.origin), use, tag.basis))
        for model in self.generated(place):
            found.labels.add(Label(_origin(_output_of(model)), use, "observed"))

    def cut(self, place: Place, origin: "dict[str, str]", source: Node) -> list[int]:
        """The removals between a place and the end that took an origin of a source out."""
        return [
            number for number in sorted(place.removed)
            if source in (gone := self.removals[number].act)["sources"]
            and all(origin.get(f) == value for f, value in stated(gone["origin"]).items())
        ]  # fmt: skip

    def generated(self, place: Place) -> list[Edge]:
        """The models whose output a place is, and removals in force left of it (law 6)."""
        here = place._replace(removed=place.removed | self._narrowed.get(place.node, set()))
        return [
            edge for run in self.made.get(place.node, ())
            if not run.link and any(e.node == place.node and not e.model for e in run.outputs)
            for edge in run.inputs
            if edge.model and edge.use != "evaluation" and not self.cut(here, _output_of(edge), edge.full)
        ]  # fmt: skip

    def earlier(self, place: Place) -> "Iterable[tuple[Place, Run | None, str]]":
        """The places that something comes from that leaves one: (place, through which run, read in which use)."""
        node, full, now, _ = place
        removed = place.removed | self._narrowed.get(node, set())
        if full:
            for file in self.files.get(node, ()):
                yield Place(file, True, now, removed), None, ""
        for directory in self.holders.get(node, ()):
            yield Place(directory, False, now, removed), None, ""
        for run in self.made.get(node, ()):
            for edge in run.inputs:
                for was in self._before(now, edge):
                    yield Place(edge.node, True, was, removed), run, edge.use
        if now == "evaluation":  # what a model was measured with, it carries (law 5)
            for run in self.read.get(node, ()):
                if any(e.node == node and e.model and e.use in _TESTED for e in run.inputs):
                    for edge in run.inputs:
                        if edge.use == "evaluation":
                            for was in self._before(now, edge):
                                yield Place(edge.node, True, was, removed), run, edge.use

    def behind(self, end: Node) -> set[int]:
        """The entries of every run that a node comes from, whatever was taken out on the way, and of those that
        measured it or a model behind it (law 5)."""
        out: set[int] = set()
        reached: set[tuple[Node, bool]] = set()
        waiting = [(end, True)]
        while waiting:
            node, full = place = waiting.pop()
            if place in reached:
                continue
            reached.add(place)
            waiting += [(file, True) for file in self.files.get(node, ())] if full else []
            waiting += [(directory, False) for directory in self.holders.get(node, ())]
            for run in self.made.get(node, ()):
                out |= run.entries
                waiting += [(edge.node, True) for edge in run.inputs]
            for run in self.read.get(node, ()):
                tests = [edge for edge in run.inputs if edge.use == "evaluation"]
                if tests and any(e.node == node and e.model and e.use in _TESTED for e in run.inputs):
                    out |= run.entries
                    waiting += [(edge.node, True) for edge in tests]
        return out

    def _before(self, now: str, edge: Edge) -> list[str]:
        """In which uses something enters a run that leaves it in one."""
        return [w for w in self.uses if not (edge.model and w == "evaluation") and now in _through({w}, edge.use)]


def _unapproved(act: Json) -> Json:
    """A removal or correction without its approval."""
    kept = {k: v for k, v in stated(act).items() if k != "approvedBy"}
    if isinstance(kept.get("sources"), list):
        kept["sources"] = sorted(set(kept["sources"]))
    return kept


def _output_of(model: Edge) -> "dict[str, str]":
    """The origin of what a model generates."""
    return {"kind": "first-party-model-output", "service": model.name}


def _trivial(content: Json) -> bool:
    size = content.get("size")
    return content["hash"] in _TRIVIAL or (size is not None and size < 16 and not content["hash"].endswith(".dir"))


_URI = re.compile(r"([A-Za-z][A-Za-z0-9.+-]*)://([^/]*)(.*)", re.S)
_FILE = re.compile(r"file(?::/(?!/[^/])|:///|//|://localhost/)[/]*", re.I)
_SCHEMES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "wasb": "wasbs", "abfs": "abfss", "postgresql": "postgres"}
_STORES = frozenset({"s3", "gs", "wasbs", "abfss", "adl", "hdfs", "webhdfs", "viewfs", "dbfs", "oss", "cos", "obs"})
_HOSTS = frozenset({
    "abfss", "awsathena", "cassandra", "clickhouse", "couchbase", "crate", "databricks", "db2", "ftp", "hbase", "hdfs",
    "hive", "http", "https", "kafka", "mariadb", "mongodb", "mssql", "mysql", "opensearch", "oracle", "postgres",
    "presto", "redshift", "sftp", "snowflake", "spark", "teradata", "trino", "vertica", "wasbs", "webhdfs",
})  # fmt: skip


def canonical(uri: str) -> str:
    """The one spelling of ``namespace/name`` (OpenLineage's naming page; law 7)."""
    if uri.startswith(("dvc://", "mlflow://", "gx://", "lineagegate")):
        return uri
    if local := _FILE.match(uri):
        return f"file//{uri[local.end() :].rstrip('/')}"
    match = _URI.match(uri)
    if match is None:
        return uri
    scheme, authority, path = match.group(1).lower(), match.group(2), match.group(3)
    scheme = _SCHEMES.get(scheme, scheme)
    if scheme in _HOSTS:
        user, at, host = authority.rpartition("@")
        authority = f"{user}{at}{host.lower()}"
    return f"{scheme}://{authority}{'/' + path.strip('/') if scheme in _STORES else path}"


def _bare(name: Json) -> Json:
    """A dataset that is only named."""
    return {"namespace": name["namespace"], "name": name["name"]}


def _inputs(told: Json) -> list[Json]:
    """The datasets that a ``lineage`` facet says something was made from."""
    found = list(told.get("inputs") or ())
    for field in (told.get("fields") or {}).values():
        found += field.get("inputs") or ()
    named = (i for i in found if i.get("type", "DATASET") == "DATASET")
    return [_bare(i) for i in named if i.get("namespace") is not None and i.get("name") is not None]


def _made_from(dataset: Json) -> list[Json]:
    """The datasets that the facets of one say it was made from."""
    facets = dataset.get("facets") or {}
    columns = facets.get("columnLineage") or {}
    found = list(columns.get("dataset") or ())
    for column in (columns.get("fields") or {}).values():
        found += column.get("inputFields") or ()
    return [*map(_bare, found), *_inputs(facets.get("lineage") or {})]


def display(namespace: str, name: str) -> str:
    """A dataset's name as people know it."""
    if namespace.startswith("dvc://") or namespace == "file":
        return name
    if namespace.startswith("mlflow://"):
        for prefix, scheme in (("models/", "models:/"), ("runs/", "runs:/"), ("logged-models/", "models:/")):
            if name.startswith(prefix):
                return scheme + name[len(prefix) :]
    return f"{namespace}/{name}"


def stated(value: Json) -> Json:
    """A value without the fields that are not stated: they are left out or empty, which is the same."""
    if isinstance(value, dict):
        out = {k: stated(v) for k, v in value.items()}
        return {k: v for k, v in out.items() if v not in (None, "", [], {}, False, 0)}
    return [stated(v) for v in value] if isinstance(value, list) else value


def origin_text(origin: Json) -> str:
    service = "/".join(x for x in (origin.get("provider"), origin.get("service")) if x)
    words = [str(origin.get("kind", "")), service, f"via {origin['channel']}" if origin.get("channel") else ""]
    return shown(", ".join(x for x in words if x))


def speaks_of(origin: Json, asked: str) -> bool:
    """Whether an origin is, word for word, what was asked about: ``openai``, ``provider openai and channel azure-*``."""

    fields = ("kind", "provider", "service", "channel", "terms", "licence")
    for part in asked.split(" and ") if asked else ():
        field, _, value = part.partition(" ")
        if field in fields and value:
            if not fnmatchcase(_plain(origin.get(field, "")), _plain(value)):
                return False
        elif not any(_plain(part) in _plain(origin.get(name, "")) for name in fields):
            return False
    return True


_MAKERS = {
    "chatgpt openai openai-inc": ("gpt-3* gpt-4* gpt-5* gpt-oss* chatgpt* o1 o1-* o3 o3-* o4-* text-davinci-* dall-e*", "aoai az.ai.openai azure-open-ai azure-openai azure-openai-service azure.ai.openai chatgpt openai openai-api"),
    "anthropic anthropic-pbc claude": ("claude*", "anthropic anthropic-api claude claude-ai"),
    "alphabet deepmind gcp.gemini gcp.gen-ai gemini google google-deepmind google-genai": ("gemini* gemma* palm-* text-bison* chat-bison* imagen*", "gemini gemini-api gemini-app google google-ai google-ai-studio"),
    "facebook llama meta meta-ai meta-llama": ("llama* meta-llama* codellama* code-llama*", "llama-api meta meta-model-api"),
    "mistral mistral-ai mistralai": ("mistral* mixtral* codestral* ministral* pixtral* magistral* devstral*", "la-plateforme mistral mistral-ai mistral-ai-api"),
    "c4ai cohere cohere-inc cohereforai": ("command-r* command-a* c4ai-* aya-*", "cohere cohere-api"),
    "deepseek deepseek-ai": ("deepseek*", "deepseek deepseek-api"),
    "alibaba alibaba-cloud aliyun qwen tongyi": ("qwen* qwq*", "qwen qwen-chat qwen-studio"),
    "grok spacexai x-ai xai": ("grok*", "xai xai-api"),
    "amazon amazon-web-services aws": ("amazon-nova* nova-pro* nova-lite* nova-micro* titan-text* amazon.*", ""),
    "azure microsoft microsoft-azure msft": ("phi-*", ""),
    "ai21 ai21-labs": ("jamba* j2-*", "ai21 ai21-api"),
    "perplexity perplexity-ai": ("sonar*", "perplexity perplexity-api"),
    "kimi moonshot moonshot-ai": ("kimi* moonshot-*", "moonshot moonshot-api"),
    "bigmodel zai zhipu zhipu-ai": ("glm-* chatglm*", "zai zhipu zhipu-api"),
    "baidu ernie wenxin": ("ernie*", ""),
    "bytedance doubao volcengine": ("doubao*", ""),
    "minimax": ("minimax-* abab*", "minimax minimax-api"),
    "hunyuan tencent": ("hunyuan-*", "hunyuan tencent-hunyuan"),
    "stepfun": ("step-1* step-2* step-3*", "stepfun stepfun-api"),
    "nvidia": ("nemotron*", ""),
    "ibm": ("granite-*", ""),
    "stability stability-ai": ("stable-diffusion* sdxl*", "stability stability-ai-api"),
}  # fmt: skip
"""Names of a provider: patterns of services that are its alone, and channels that carry its models alone, as the
catalogue of this program's release knows them. An operator cannot change them for this program."""


def looks_like(origin: Json, asked: str) -> bool:
    """Whether an origin speaks of what was asked about by a name of the same provider, or in letters that look alike."""
    _, _, value = asked.partition(" ")
    word = value if asked.startswith("provider ") else asked
    if not word or " and " in asked or (value and word is asked):
        return False
    fields = ("provider", "service", "channel", "terms", "licence")
    for field in fields:
        stated_ = _plain(origin.get(field, ""))
        if _seen(word) and (_seen(stated_) == _seen(word) or (not stated_.isascii() and _seen(word) in _seen(stated_))):
            return True
    for names, (services, channels) in _MAKERS.items():
        if _plain(word) not in names.split():
            continue
        ours = origin["kind"] in ("first-party", "first-party-model-output")
        if _plain(origin.get("channel", "")) in channels.split():
            return True
        if not ours and any(fnmatchcase(_plain(origin.get("service", "")), p) for p in services.split()):
            return True
        if "microsoft" not in names.split() and _plain(origin.get("provider", "")) in names.split():  # who resells
            return True
    return False


def _plain(text: object) -> str:
    """The form in which two words are compared."""
    folded = unicodedata.normalize("NFKC", str(text)).casefold()
    return re.sub(r"[\s_]+", "-", "".join(c for c in folded if unicodedata.category(c) != "Cf").strip())


def same_person(one: str, other: str) -> bool:
    """Whether two identities share a name or an address, by what a reader sees; nobody is anybody."""
    known = spellings(one), spellings(other)
    return not all(known) or bool(known[0] & known[1])


_ADDRESS = re.compile(r"(?:mailto:|(?<![^\s<>()\[\],;:\"']))([^\s<>()\[\],;:\"']+)@([^\s<>()\[\],;:\"'@]+)")
_CAPITALS = str.maketrans("АВЕКМНОРСТУХІЈЅҺԀԚԜѴӀΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEKMHOPCTYXIJSHDQWVIABEZHIKMNOPTYXC")
_LETTERS = str.maketrans(
    "авекмнорстухіјѕһԁԛԝѵӏьɡɑɩıαβεικνορτυχγηωϲϳl1|0", "abekmhopctyxijshdqwvibgaiiabeikvoptuxynwcjiiio"
)
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


def spellings(who: str) -> set[str]:
    """The name and the addresses of an identity, without what makes no difference to the eye."""
    if token := re.match(r"\[person-[0-9]+", who):  # redacted: the number says who, what follows it how it is spelt
        return {token.group()}
    whole = unicodedata.normalize("NFKC", who)
    found: set[str] = set()
    for text in (whole, whole.translate(_CAPITALS)):  # a capital may be drawn like another letter than its small one
        plain = "".join(c for c in text.casefold() if c.isprintable() or c.isspace())
        for local, host in _ADDRESS.findall(plain):
            found.add(f"{_seen(local.partition('+')[0])}@{'.'.join(map(_seen, host.strip('.').split('.')))}")
        apart = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in _ADDRESS.sub(" ", plain))
        words = [word for word in map(_seen, apart.split()) if word]
        found |= {"".join(words), " ".join(sorted(words))}
    return found - {""}


def _seen(text: str) -> str:
    kept = (c for c in unicodedata.normalize("NFKD", _BLANK.sub("", text)) if not unicodedata.combining(c))
    return "".join(c for c in kept if unicodedata.category(c)[0] in "LMN").casefold().translate(_LETTERS)


_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d))?(?:[.,](\d+))?\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?"
)


def instant(text: str) -> "int | None":
    """Microseconds of an ISO 8601 time; None when it is none."""
    match = _TIME.fullmatch(text.strip())
    if not match:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, east, quarter = match.groups()
    try:
        whole = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=timezone.utc)
    except ValueError:
        return None
    if int(east or 0) > 14 or int(quarter or 0) > 59:
        return None
    away = (int(east or 0) * 60 + int(quarter or 0)) * 60 * (-1 if sign == "-" else 1)
    return (int(whole.timestamp()) - away) * 1_000_000 + int((fraction or "0")[:6].ljust(6, "0"))


# -- how executions are known ------------------------------------------------------------------------------------------

LEVELS = ("asserted", "restored", "observed")
"""Of evidence, the weakest first."""


class Told(NamedTuple):
    """An execution: the entries that tell of it, and how it is known."""

    entries: tuple[int, ...]
    level: str


def executions(events: Mapping[int, Json]) -> list[Told]:
    """The executions that some entries tell of.

    Entries with one run id are one. DVC's of a stage is one with the newest MLflow run of the same stage that read the
    same content in the same project, was on record before it and did not start after it; each run is linked once.
    """
    runs: dict[str, list[int]] = {}
    for position in sorted(events):
        if (run := events[position].get("run")) is not None:
            runs.setdefault(str(run["runId"]), []).append(position)
    by_stage: dict[str, list[list[int]]] = {}
    linked: set[int] = set()
    out: list[list[int]] = []
    for told in runs.values():
        how: Json = next((found for p in told if (found := _execution(events[p]))), {})
        stage = how.get("stage", "")
        if how.get("tool") == "mlflow" and stage:
            by_stage.setdefault(stage, []).append(told)
        elif how.get("tool") == "dvc":
            fits = (run for run in reversed(by_stage.get(stage, [])) if _is_of(events, run, told, linked))
            if (other := next(fits, None)) is not None:
                linked.add(other[0])
                other += told
                continue
        out.append(told)
    return [Told(tuple(sorted(told)), _level(events[p] for p in told)) for told in out]


def _level(events: Iterable[Json]) -> str:
    """The best that is said of an execution; MLflow's own word that a run went on is a record."""
    said = {how.get("evidence", "asserted") for how in map(_execution, events) if how and how.get("tool") != "mlflow"}
    return next((level for level in ("observed", "restored") if level in said), "asserted")


def _is_of(events: Mapping[int, Json], run: Sequence[int], stage: Sequence[int], linked: set[int]) -> bool:
    """Whether a run of MLflow is the execution that DVC tells of."""
    job = events[stage[0]].get("job")
    if not job or run[0] in linked:
        return False
    read, stated_ = (_contents(events, told, job["namespace"]) for told in (run, stage))
    began, ended = (min(instant(str(events[p].get("eventTime"))) or 0 for p in told) for told in (run, stage))
    return bool(read) and read == stated_ and began // 1_000_000 <= ended // 1_000_000


def _contents(events: Mapping[int, Json], told: Iterable[int], namespace: str) -> set[str]:
    return {
        hash_
        for position in told
        for dataset in events[position].get("inputs") or ()
        if dataset["namespace"] == namespace
        and (hash_ := ((dataset.get("facets") or {}).get("lineage_content") or {}).get("hash"))
    }


# -- what a policy requires of them ------------------------------------------------------------------------------------
# Of a policy file, which is YAML, only the list under `require` is read, and only as people write it: what is written
# otherwise is called unreadable, never empty.

_FLOW = re.compile(
    r"""\s*([{}\[\],]|:(?=[\s,}\]]|$)|"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:[^\s{}\[\],:"']|:(?=\S))(?:[^{}\[\],:]|:(?=\S))*)"""
)
_KEY = re.compile(r"""(?:"([^"\\]*)"|'([^']*)'|([A-Za-z][\w-]*))\s*:(?:\s+(.*))?$""")


class Requirement(NamedTuple):
    """A requirement as a policy file states it."""

    id: str
    level: str
    effect: str
    start: str
    model: "dict[str, list[str]]"


def requirements(text: str) -> "list[Requirement] | None":
    """What a policy file requires; None: it is written in a way that this program does not read."""
    body: list[str] = []
    inside, seen = False, 0
    for line in text.split("\n"):
        bare = _uncommented(line)
        if not bare.strip():
            continue
        if line[0] not in " -":
            inside = re.sub(r"\s", "", bare) == "require:"
            if (
                re.match(r"""["']?require\b""", bare)
                and not inside
                and not re.fullmatch(r"require\s*:\s*\[\s*\]\s*", bare)
            ):
                return None
        elif inside:
            body.append(bare)
        seen += bool(re.search(r"""(^|[\s{,])["']?require["']?\s*:""", bare))
    if seen > len(re.findall(r"(?m)^require\s*:", text)) or text.lstrip().startswith("{"):
        return None
    items: list[list[str]] = []
    margin = len(body[0]) - len(body[0].lstrip()) if body else 0
    for line in body:
        if line[margin : margin + 2] == "- ":
            items.append([" " * (margin + 2) + line[margin + 2 :]])
        elif not items or line[: margin + 1].strip():
            return None
        else:
            items[-1].append(line)
    out = []
    for item in items:
        found = _mapping(item)
        model = {} if found is None else found.get("model", {})
        if (
            found is None
            or not isinstance(model, dict)
            or not all(isinstance(found.get(k), str) for k in ("id", "evidence"))
        ):
            return None
        wanted = {k: v if isinstance(v, list) else [v] for k, v in model.items()}
        if (
            not all(isinstance(text_, str) for texts in wanted.values() for text_ in texts)
            or found["evidence"] not in LEVELS
        ):
            return None
        out.append(
            Requirement(
                found["id"], found["evidence"], str(found.get("effect", "deny")), str(found.get("from", "")), wanted
            )
        )
    return out


def _uncommented(line: str) -> str:
    """A line without its comment; a mark inside quotes or words is none."""
    return re.sub(r"""^((?:[^"'#]|"(?:[^"\\]|\\.)*"|'[^']*'|(?<=\S)#|['"])*?)(?:(?<!\S)#.*)?$""", r"\1", line).rstrip()


def _mapping(lines: Sequence[str]) -> "dict[str, Json] | None":
    """A mapping written as lines, or in braces; what is below a key that means nothing here is passed over."""
    first = lines[0].strip()
    if first.startswith("{"):
        found = _flow(" ".join(lines))
        return found if isinstance(found, dict) else None
    margin = len(lines[0]) - len(lines[0].lstrip())
    out: dict[str, Json] = {}
    below: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        if line[: margin + 1].strip():
            match = _KEY.match(line.strip())
            if match is None or line[:margin].strip():
                return None
            key = next(part for part in match.groups()[:3] if part is not None)
            if key in out:
                return None
            out[key] = match.group(4) or ""
            below[key] = []
        elif key:
            below[key].append(line)
    for key, value in out.items():
        if key == "reason":
            continue
        if not value and below[key]:
            out[key] = _mapping(below[key])
        else:
            out[key] = _flow(" ".join([value, *below[key]]))
        if out[key] is None:
            return None
    return out


def _flow(text: str) -> Json:
    """A scalar, list or mapping written in one line; None: it is none of these."""
    tokens, at = [], 0
    text = text.strip()
    if text[:1] not in ("{", "[", '"', "'"):
        return text if text and text[0] not in "&*!|>%@`" else None
    while at < len(text):
        match = _FLOW.match(text, at)
        if match is None or match.end() == at:
            return None
        tokens.append(match.group(1).strip())
        at = match.end()
    value, rest = _flowed(tokens)
    return None if rest else value


def _flowed(tokens: "list[str]") -> "tuple[Json, list[str]]":
    """The value that some tokens begin with, and the rest; ("no value", more than nothing) where there is none."""
    if not tokens:
        return None, ["cut short"]
    first, rest = tokens[0], tokens[1:]
    if first in ("{", "["):
        end, items, named = {"{": "}", "[": "]"}[first], list[Json](), dict[str, Json]()
        while rest and rest[0] != end:
            value, rest = _flowed(rest)
            if first == "{":
                if rest[:1] != [":"] or not isinstance(value, str) or value in named:
                    return None, ["no mapping"]
                named[value], rest = _flowed(rest[1:])
            items.append(value)
            if rest[:1] == [","]:
                rest = rest[1:]
            elif rest[:1] != [end]:
                return None, ["not closed"]
        return (named if first == "{" else items), (rest[1:] if rest else ["not closed"])
    if first in ("}", "]", ",", ":") or first[0] in "&*!|>%@`" or (first[0] == '"' and "\\" in first):
        return None, ["no value"]
    return (first[1:-1].replace("''", "'") if first[0] in "\"'" else first), rest


def asked_of(each: Requirement, verdict: Json) -> "bool | None":
    """Whether a requirement speaks of what a verdict is about; None: that is the operator's catalogue."""
    start = each.start if "T" in each.start else f"{each.start}T00:00:00Z"
    if each.start and (instant(start) is None or (instant(verdict["time"]) or 0) < (instant(start) or 0)):
        return None if instant(start) is None else False
    sure: bool | None = True
    for key, patterns in each.model.items():
        stated_ = (verdict.get("attributes") or {}).get(key)
        if key == "name":
            values = [verdict["model"]]
        elif key in ("stage", "alias"):
            values = [stated_ or ""]
        elif stated_ is None:  # what nobody stated counts as meant
            continue
        else:
            values = [] if stated_ == "none" else stated_.split(", ")
        if not any(fnmatchcase(_plain(value), _plain(pattern)) for value in values or [""] for pattern in patterns):
            if key in ("name", "stage", "alias"):
                return False
            sure = None  # of providers the catalogue knows other names
    return sure


# -- the case against the events ---------------------------------------------------------------------------------------


class Findings:
    """Statements of a case that the entries bear out, and the first that they do not."""

    def __init__(self, case: Json, record: Record, pseudonyms: Iterable[str] = ()) -> None:
        self.case, self.record = case, record
        self.pseudonyms = frozenset(pseudonyms)
        """Of names of people, paths and commits that were redacted."""
        self.backed: list[str] = []
        self.missing: list[str] = []
        self.open: list[str] = []
        self.removed: dict[int, list[int]] = {}
        """Of a no: by its place in the case, a removal that it rests on, and the entries that name what was taken out."""
        self.arrived = Arrived(set(), set(), [], {})
        """What reaches the subject."""

    def claim(self, text: str, holds: bool) -> None:
        (self.backed if holds else self.missing).append(text)

    def check(self) -> None:
        """Go through everything that a case says and that the entries can bear out."""
        case = self.case
        if case["answer"]["contains"] not in _ANSWERS:
            raise Wrong(f"the answer is {shown(case['answer']['contains'])}, which is none of {', '.join(_ANSWERS)}")
        self._subject()
        for number, trace in enumerate(case["traces"], 1):
            self._trace(number, trace)
        for item in case["decisions"]:
            self._act(f"decision {item['decision']['id']}", "decision", [item["entry"]], item["decision"], ())
            judged: Sequence[Json] = (self.record.events.get(item["entry"]) or {}).get("inputs") or ({},)
            content = ((judged[0].get("facets") or {}).get("lineage_content") or {}).get("hash", "")
            text = f"decision {shown(item['decision']['id'])} is about {shown(item['content'] or 'no content')}"
            self.claim(f"{text}, as its entry says", item["content"] == content)
        self._acts_told()
        for item in case["grants"]:
            self._grant(item)
        for kind in ("removal", "correction"):
            for item in case[f"{kind}s"]:
                self._claimed(kind, item)
        for item in case["history"]:
            self._history(item)
        self._known()
        self._answer()
        self._undisclosed()

    def _acts_told(self) -> None:
        """Whether everything that these entries hold of what people, registries and the gate said is in the case."""
        case = self.case
        told = {"decision": {item["entry"] for item in case["decisions"]}}
        for kind in ("grant", "removal", "correction"):
            told[kind] = {entry for item in case[f"{kind}s"] for entry in item["entries"]}
        told["grant"] |= {item["entry"] for item in case["history"] if item["kind"] == "withdrawn"}
        for kind in ("change", "policy"):
            told[kind] = {item["entry"] for item in case["history"]}
        for position, (kind, act) in self.record.acts.items():
            named = act.get("id") or act.get("model") or act.get("sha256", "")[:12]
            self.claim(f"{kind} {shown(named)} (entry {position}) is in the case", position in told.get(kind, ()))

    def _known(self) -> None:
        """Whether executions are known as the case says, what it says was seen of them, and what the policy requires.

        Of a "yes" about one origin only the entries on its paths are here; else those of the whole lineage.
        """
        case, events = self.case, self.record.events
        whole = case["answer"]["contains"] != "yes" or not case["question"]["origin"]
        inside = {
            p for end in sorted(_subject(self.record, case["subject"]["artifact"])) for p in self.record.behind(end)
        }
        here = executions(
            {p: events[p] for p in inside} if whole else {p: e for p, e in events.items() if p not in self.record.acts}
        )
        level = {entry: told.level for told in here for entry in told.entries}
        for number, trace in enumerate(case["traces"], 1):
            for step in trace["path"][1:]:
                if step["run"]:
                    known = next((level[entry] for entry in step["entries"] if entry in level), "asserted")
                    text = (
                        f"path {number}: {shown(step['run'])} is {known}, by what entry {_listed(step['entries'])} says"
                    )
                    self.claim(text, step["basis"] == known)
        views = [view for view in case["runs"] if whole or set(view["entries"]) <= events.keys()]
        for view in views:
            self._run_view(view, here)
        if not whole:
            if case["coverage"]["executions"]:
                self.open.append(
                    "how the executions are known that are not on these paths, what was seen of them, and whether the "
                    "policy's requirements on that are met: their entries are not here"
                )
            return
        told = {view["entries"][0] for view in views if view["entries"]}
        missing = [found for found in here if found.entries[0] not in told]
        self.claim(f"each execution in these entries is in the case{_not_entry(missing)}", not missing)
        counted: dict[str, int] = {}
        for found in here:
            counted[found.level] = counted.get(found.level, 0) + 1
        said = {name: number for name, number in case["coverage"]["evidence"].items() if number}
        words = ", ".join(f"{counted[name]} {name}" for name in sorted(counted)) or "none"
        self.claim(f"the executions in these entries are known so: {words}", said == counted)
        self._required(counted)
        for each in case["contradictions"]:
            self._contradicted(each)

    def _run_view(self, view: Json, here: Sequence[Told]) -> None:
        """Whether what is said of an execution is what its entries say."""
        events, entries = self.record.events, tuple(view["entries"])
        text = f"{shown(view['run'])} (entry {_listed(entries)})"
        found = next((told for told in here if told.entries == entries), None)
        self.claim(f"{text} is an execution, {shown(view['level'])} by what its entries say",
                   found is not None and found.level == view["level"])  # fmt: skip
        if found is None:
            return
        seen = {entry: facet for entry in entries if (facet := _observation(events[entry]))}
        for item in view["seen"]:
            facet = seen.get(item["entry"], {})
            self.claim(f"what was seen of {text} is as entry {shown(item['entry'])} has it", _as_seen(item, facet))
        ended = {each for facet in seen.values() if facet.get("ended") for each in facet["executions"]}
        due = {e for e, facet in seen.items() if facet.get("ended") or not ended.issuperset(facet["executions"])}
        self.claim(f"the case says all that was seen of {text}", due == {item["entry"] for item in view["seen"]})

    def _required(self, counted: Mapping[str, int]) -> None:
        """Whether the verdict has each requirement of the policy on how executions are known, and no other."""
        verdict = self.case["verdict"]
        if verdict["outcome"] == "cannot-decide":
            return
        policy = next(
            (act for kind, act in self.record.acts.values() if kind == "policy" and act["sha256"] == verdict["policy"]),
            None,
        )
        read = [requirements(file["text"]) for file in policy["files"]] if policy else [None]
        if any(each is None for each in read):
            why = (
                "its text is not among these entries"
                if policy is None
                else "it is written in a way that this program does not read"
            )
            self.open.append(f"what the policy requires of how executions are known: {why}")
            return
        every = [requirement for file in read for requirement in file or ()]
        total, due, unsure = sum(counted.values()), {}, set()
        for each in every:
            enough = LEVELS[LEVELS.index(each.level) :]
            below = sum(number for name, number in counted.items() if name not in enough)
            if below or not total:
                applies = asked_of(each, verdict)
                if applies:
                    due[each.id] = (each.level, each.effect, below, total)
                elif applies is None:
                    unsure.add(each.id)
        said = {
            s["rule"]: (s["level"], s["effect"], s.get("below", 0), s.get("executions", 0))
            for s in verdict.get("shortfalls") or ()
        }
        for name in sorted(set(due) | set(said)):
            if name in unsure:
                continue
            wanted = due.get(name)
            what = (
                f"is not met: {wanted[2]} of {wanted[3]} executions are known less well"
                if wanted
                else "asks nothing of it"
            )
            self.claim(
                f"the policy's requirement {shown(name)} {what}, and so says the verdict", said.get(name) == wanted
            )
        known = {name: number for name, number in (verdict.get("evidence") or {}).items() if number}
        self.claim("the verdict rests on executions as they are known", known == (dict(counted) if every else {}))
        strict = {effect for _, effect, _, _ in due.values()}
        holds = verdict["outcome"] == "deny" or ("deny" not in strict and (not strict or verdict["outcome"] == "warn"))
        self.claim("the verdict is as strict as the requirements that are not met", holds)
        if unsure:
            self.open.append(
                f"whether {', '.join(map(shown, sorted(unsure)))}, which the policy requires, speaks of this model: that is "
                "the operator's catalogue"
            )

    def _contradicted(self, item: Json) -> None:
        """Whether a thing is declared as one thing, and was seen to be another, as it is said."""
        record, artifact = self.record, item["artifact"]
        tags = [
            tag
            for node in record.nodes(artifact["display"], artifact["content"] or "")
            for tag in record.on.get(node, ())
        ]
        seen = [tag.reason for tag in tags if tag.basis == "observed" and tag.reason and tag.reason in item["sentence"]]
        kinds = [
            tag.origin["kind"] for tag in tags if tag.basis == "declared" and tag.origin["kind"] in item["sentence"]
        ]
        self.claim(f"{shown(artifact['display'])} is {shown(item['sentence'])}, as tags here say", bool(seen and kinds))

    def _undisclosed(self) -> None:
        """Whether the case names each thing that reaches the subject, is declared as one thing and was seen to be another."""
        named = {
            node
            for each in self.case["contradictions"]
            for node in self.record.nodes(each["artifact"]["display"], each["artifact"]["content"] or "")
        }
        reach = {label.origin for label in self.arrived.labels if label.basis == "observed"}
        hidden = []
        for node in sorted({tag.node for tag in self.arrived.tags} - named):
            tags = self.record.on.get(node, ())
            declared = [tag.origin for tag in tags if tag.basis == "declared"]
            other = [tag for tag in tags if tag.basis == "observed" and tag.reason and _origin(tag.origin) in reach]
            if declared and any(not any(_same_kind(tag.origin, origin) for origin in declared) for tag in other):
                hidden.append(shown(self.record.names.get(node, node)))
        text = "the case names what is declared as one thing and seen to be another in these entries"
        self.claim(f"{text}{f' (not: {hidden[0]})' if hidden else ''}", not hidden)

    def _subject(self) -> None:
        """Whether it is one and the same thing that was asked about, that is named, and that the entries speak of."""
        case, record = self.case, self.record
        subject, artifact = case["subject"], case["subject"]["artifact"]
        name, content = artifact["display"], artifact["content"] or ""
        self.claim(f"the question is about {shown(name)}, as the case is", case["question"]["subject"] == name)
        if subject["model"]:
            full = f"models:/{subject['model']}" + (f"/{subject['version']}" if subject["version"] else "")
            self.claim(f"{shown(name)} is the version that the case names", name == full)
        self._registered(subject)
        others = sorted({hash_ for named, hash_ in record.bound if named == name and hash_ not in ("", content)})
        if content and others and subject["version"]:
            self.open.append(
                f"which content {shown(name)} has: entries here give that name to {shown(others[0])} too, and the case is "
                f"about {shown(content)}"
            )
        if case["question"]["asOf"]:
            until = instant(case["question"]["asOf"])
            late = [
                p
                for p in sorted(record.events)
                if (instant(str(record.events[p].get("eventTime"))) or 0) > (until or 0)
            ]
            self.claim(
                f"no entry here happened after {shown(case['question']['asOf'])} (entry {_listed(late[:1])})", not late
            )
        with_content = any(hash_ for named, hash_ in record.bound if named == name)
        holds = (name, content) in record.bound and (bool(content) or not with_content)
        if content and name.endswith("/?"):  # a file of which nobody knows where in its directory it lies
            holds = content in record.names
        text = (
            f"an entry says that {shown(name)} is {shown(content) if content else 'something without recorded content'}"
        )
        if holds or case["answer"]["contains"] in ("no", "evaluation-only") or (not content and with_content):
            self.claim(text, holds)
        else:
            self.open.append(f"that {text}: none of the entries here does")

    def _registered(self, subject: Json) -> None:
        """When the version was made and by whom: as a registry's change says, else who let it in; its aliases."""
        acts, version, holds = self.record.acts, subject["version"], not subject["registered"] and not subject["by"]
        models, before = {subject["model"]}, 0
        while before < len(models):  # one model under the names that it had
            before = len(models)
            models |= {
                act["model"]
                for kind, act in acts.values()
                if kind == "change" and act["happening"] == "renamed" and act.get("value") in models
            }
        aliases: set[str] = set()
        for position, (kind, act) in acts.items():
            if kind == "decision" and act.get("action") == "register" and not subject["registered"]:
                holds = holds or subject["by"] == act.get("by", "")
            if kind != "change" or act["model"] not in models or act.get("version", version) not in ("", version):
                continue
            happening = act["happening"]
            if happening == "created" and subject["registered"]:
                at = self._at(subject["registered"], [position])
                holds = holds or (at and subject["by"] == act.get("by", ""))
            elif happening == "alias":
                aliases.add(act.get("value", ""))
            elif happening == "alias-removed":
                aliases.discard(act.get("value", ""))
            elif happening in ("deleted", "recalled"):
                aliases.clear()
        text = f"{shown(subject['artifact']['display'])} was registered {shown(subject['registered'])} by {shown(subject['by'])}"
        self.claim(f"{text}, as an entry states", holds)
        for alias in subject["aliases"]:
            self.claim(
                f"an entry says that the alias {shown(alias)} was given, and none that it was taken", alias in aliases
            )

    def _answer(self) -> None:
        """Whether the answer is what follows from the entries, and the paths of the case are all that they show.

        A name and a content key may stand for two things, one of them too small to mean anything: one has to do.
        """
        ends = sorted(_subject(self.record, self.case["subject"]["artifact"]))
        found = [self._answered(self.record.arrived(end)) for end in ends]
        self.arrived, claims = min(found, key=lambda item: sum(not holds for _, holds in item[1]))
        for text, holds in claims:
            self.claim(text, holds)
        case, view = self.case, self.arrived
        asked, answer = case["question"]["origin"], case["answer"]["contains"]
        if answer in ("no", "evaluation-only"):
            self._rests_on(view, asked)
            beside = {id_ for taken in case["answer"]["taken"] for id_ in taken["removals"]}
            for place in self.removed:
                id_ = case["removals"][place]["removal"]["id"]
                self.claim(f"the answer names removal {shown(id_)}, on which it rests", id_ in beside)
        for item in case["sources"]:
            self._source(item, answer)
        sentence, denial = case["answer"]["sentence"], " does not contain "
        name = case["subject"]["artifact"]["display"]
        holds = denial in sentence if answer == "no" else not sentence.startswith(f"{name}{denial}")
        self.claim(f"the answer is {answer}, and so says its sentence", holds)
        if answer in ("no", "evaluation-only", "cannot-tell") and asked:
            self.open.append(
                f"that nothing here is '{shown(asked)}' under another name: names that the operator's catalogue adds to "
                "those that this program knows are not compared. Read the origins below 'What the entries say'"
            )
        met = [t["origin"] for t in case["traces"] if t["basis"] is not None]
        if answer in ("yes", "evaluation-only") and not any(speaks_of(origin, asked) for origin in met):
            self.open.append(
                f"that {origin_text(met[0]) if met else 'it'} is what '{shown(asked)}' means: that is the operator's catalogue"
            )

    def _source(self, item: Json, answer: str) -> None:
        """Whether a line in the list of sources is what a tag says. Of a "yes" only the entries on its paths are here."""
        record, artifact = self.record, item["artifact"]
        if item["basis"] is None or (answer == "yes" and not set(item["entries"]) <= record.events.keys()):
            return
        said = stated(item["origin"]), item["basis"], item["declaredBy"], item["reason"], item["evidence"]
        self.claim(
            f"source {shown(artifact['display'])} is {origin_text(item['origin'])}, as entry {_listed(item['entries'])} says",
            any(
                (t.origin, t.basis, t.by, t.reason, t.evidence) == said
                and t.entry in item["entries"]
                and self._at(item["declared"], [t.entry])
                for node in record.nodes(artifact["display"], artifact["content"] or "")
                for t in record.on.get(node, ())
            ),
        )

    def _answered(self, view: Arrived) -> "tuple[Arrived, list[tuple[str, bool]]]":
        """What an answer has to agree with, if this is all that reaches the subject."""
        case, record = self.case, self.record
        asked, answer = case["question"]["origin"], case["answer"]["contains"]
        name = shown(case["subject"]["artifact"]["display"])
        is_ = f"the answer is {answer}"
        traced = {Label(_origin(t["origin"]), t["use"], t["basis"]) for t in case["traces"] if t["basis"] is not None}
        labels = {label for label in view.labels if speaks_of(dict(label.origin), asked)}
        left = sorted(labels - traced if answer in ("yes", "evaluation-only") else labels)
        claims = [(f"{is_}, and a path shows it", bool(traced))] if answer in ("yes", "evaluation-only") else []
        each = f"{is_}, and a path shows each use of the origin asked about that these entries lead to{_but(left)}"
        if answer != "no":
            claims.append((each, not left))
        extra = sorted(traced - view.labels)
        claims.append((f"these entries lead to what the paths show{_but(extra)}", not extra))
        third = [label for label in sorted(view.labels) if dict(label.origin)["kind"] == "third-party-model-output"]
        if answer == "evaluation-only":
            claims.append(
                (f"{is_}, and so is each path in the case", {label.use for label in traced} == {"evaluation"})
            )
        if answer in ("no", "evaluation-only"):
            open_ = (
                f" (not: {shown(record.names.get(min(view.undeclared), min(view.undeclared)))})"
                if view.undeclared
                else ""
            )
            claims.append(
                (f"{is_}, and in these entries every source of {name} has a declared origin{open_}", not open_)
            )
            claims.append((f"{is_}, and these entries name a source of {name}", bool(view.tags)))
            against = [label for label in sorted(labels) if answer == "no" or label.use != "evaluation"]
            made = "trained on" if answer == "evaluation-only" else "made from"
            claims.append(
                (
                    f"{is_}, and in these entries nothing that {name} was {made} is of the origin asked about"
                    f"{' but what removals say was taken out' if view.cut else ''}{_but(against)}",
                    not against,
                )
            )
        if answer in ("no", "evaluation-only"):
            listed = [
                (
                    record.nodes(i["artifact"]["display"], i["artifact"]["content"] or ""),
                    (stated(i["origin"]), i["basis"]),
                )
                for i in case["sources"]
            ]
            missing = [
                tag for tag in view.tags
                if not any(tag.node in nodes and (tag.origin, tag.basis) == told for nodes, told in listed)
            ]  # fmt: skip
            entry = f" (not: entry {missing[0].entry})" if missing else ""
            claims.append((f"{is_}, and the list of sources has each tag in these entries{entry}", not missing))
            whole = case["coverage"]["complete"] and not case["coverage"]["undeclared"]
            claims.append((f"{is_}, and the case calls its lineage complete", bool(whole)))
        if answer == "no":
            alike = [label for label in sorted(view.labels) if looks_like(dict(label.origin), asked)]
            claims.append(
                (f"{is_}, and nothing in these entries is so by another name or spelling{_but(alike)}", not alike)
            )
            vague = [label for label in third if not dict(label.origin).keys() & {"provider", "service", "channel"}]
            sure = [label for label in vague if asked.partition(" ")[0] not in _FIELDS]
            claims.append(
                (f"{is_}, and of no model output in these entries the provider is unknown{_but(sure)}", not sure)
            )
        if answer == "cannot-tell":
            holds = bool(view.undeclared or third or not view.tags)
            claims.append((f"{is_}, and something about the sources of {name} is open", holds))
        return view, claims

    def _rests_on(self, view: Arrived, asked: str) -> None:
        """Note which removals of the case an answer rests on."""
        speaking = {tag.entry for tag in view.tags if speaks_of(tag.origin, asked)}
        for number, entries in view.cut.items():
            act = _unapproved(self.record.removals[number].act)
            for place, item in enumerate(self.case["removals"]):
                if entries & speaking and _unapproved(item["removal"]) == act:
                    self.removed[place] = sorted(entries & speaking)

    def _acts(self, kind: str, identity: str) -> dict[int, Json]:
        """What all entries here say of a decision, grant, removal or correction, by position."""
        acts = self.record.acts.items()
        return {position: act for position, (name, act) in acts if name == kind and act.get("id") == identity}

    def _at(self, time: str, positions: Iterable[int]) -> bool:
        """Whether a time is that of an entry: as it is written there, or in UTC. In another zone it has another date."""
        zulu = time.endswith(("Z", "+00:00"))
        for position in positions:
            text = str(self.record.events[position].get("eventTime", ""))
            if text == time or (zulu and instant(time) is not None and instant(time) == instant(text)):
                return True
        return False

    def _times(self, acts: Iterable[int]) -> "set[int | None]":
        return {instant(str(self.record.events[position].get("eventTime", ""))) for position in acts}

    def _act(self, text: str, kind: str, entries: Sequence[int], value: Json, leave: Sequence[str]) -> None:
        def plain(act: Json) -> Json:
            kept = {k: v for k, v in stated(act).items() if k not in leave}
            if "sources" in kept and isinstance(kept["sources"], list):
                kept["sources"] = sorted(kept["sources"])
            return kept

        acts = self._acts(kind, value["id"])
        said = [act for position, act in acts.items() if position in entries]
        self.claim(f"{shown(text)} is as entry {_listed(entries)} has it", any(plain(a) == plain(value) for a in said))
        if kind != "grant":  # one id may have been given to two claims
            acts = {position: act for position, act in acts.items() if plain(act) == plain(value)}
        self.claim(f"the case names each entry here that speaks of {shown(text)}", set(acts) <= set(entries))

    def _grant(self, item: Json) -> None:
        """Whether a grant is as it was said last; withdrawn once, it stays so."""
        grant, entries = item["grant"], item["entries"]
        text = shown(f"grant {grant['id']}")
        acts = self._acts("grant", grant["id"])
        gone = [position for position, act in sorted(acts.items()) if act.get("withdrawn")]
        given = [act for _, act in sorted(acts.items()) if not act.get("withdrawn")]
        last = acts[max(acts)] if acts else {}
        by = given[0].get("by", "") if given else last.get("by", "")
        plain = {k: v for k, v in stated({**last, "by": by}).items() if k != "withdrawn"}
        same = plain == {k: v for k, v in stated(grant).items() if k != "withdrawn"}
        self.claim(
            f"{text} is as entry {_listed(entries)} has it", bool(acts) and max(acts) in {*entries, *gone} and same
        )
        self.claim(f"the case names each entry here that speaks of {text}", set(acts) - set(gone[1:]) <= set(entries))
        self.claim(
            f"{text} is {'withdrawn' if gone else 'not withdrawn in these entries'}",
            bool(gone) == bool(grant.get("withdrawn")) == bool(item["withdrawn"]),
        )
        if gone:
            withdrawn = self._at(item["withdrawn"], gone[:1]) and item["withdrawnBy"] == acts[gone[0]].get("by", "")
            self.claim(f"{text} was withdrawn {shown(item['withdrawn'])} by {shown(item['withdrawnBy'])}", withdrawn)

    def _claimed(self, kind: str, item: Json) -> None:
        value, entries = item[kind], item["entries"]
        text = shown(f"{kind} {value['id']}")
        self._act(text, kind, entries, value, ("approvedBy",))
        same = _unapproved(value)
        claim = next((c for c in self.record.claims if c.kind == kind and _unapproved(c.act) == same), None)
        if claim is None:
            self.claim(f"an entry says {text}", False)
            return
        void = kind == "removal" and self.record.void(claim.act)
        state = "waiting for approval" if not claim.own else "approved by the one who claimed it"
        if claim.approvals:
            state = "void" if void else "in force" if claim.claims else "approved without a claim"
        self.claim(f"{text} is {state}, by what the entries say", item["state"] == state)
        if kind == "removal":
            self.claim(f"{text} is {'' if void else 'not '}contradicted by a match", bool(item["void"]) == void)
        for word, positions in (("claimed", claim.claims), ("approved", claim.approvals)):
            self.claim(
                f"{text} was {word} {shown(item[word])}, as an entry states",
                self._at(item[word], positions[:1]) if positions else not item[word],
            )
        approver = self.record.acts[(claim.approvals or claim.entries)[0]][1].get("approvedBy", "")
        self.claim(f"{text} names the approver that its entry names", value.get("approvedBy", "") == approver)

    def _history(self, item: Json) -> None:
        event, act = self.record.events.get(item["entry"]), self.record.acts.get(item["entry"])
        said: list[tuple[str, str, str]] = []
        tellings = {item["entry"]} if event is not None else set()
        if event is not None:
            said = list(_told_by_act(*act)) if act else list(_told(event))
            if act is None and item["kind"] == "executed":  # one execution may be told often, by more than one tool
                tellings |= {
                    p for run in self.record.runs.values() if item["entry"] in run.entries for p in run.entries
                }
                tellings |= {p for p in self.record.events if self._same_stage(event, p)}
                said += [telling for p in tellings for telling in _told(self.record.events[p])]
        self.claim(
            f"{shown(item['time'])}: {shown(item['kind'])} {shown(item['subject'])} (entry {shown(item['entry'])})",
            self._at(item["time"], tellings)
            and any(
                (item["kind"], item["by"]) == (kind, by) and self._is_named(item["subject"], subject)
                for kind, subject, by in said
            ),
        )

    def _same_stage(self, event: Json, position: int) -> bool:
        stage = _execution(event).get("stage")
        return (
            bool(stage)
            and position not in self.record.acts
            and _execution(self.record.events[position]).get("stage") == stage
        )

    def _trace(self, number: int, trace: Json) -> None:
        """Walk a path against the stream, as the laws have it, from the subject to where it begins."""
        record, steps = self.record, trace["path"]
        what = f"path {number}"
        if not steps:
            self.claim(f"{what} has steps", False)
            return
        nodes = [record.nodes(step["artifact"], step["content"]) for step in steps]
        subject = self.case["subject"]["artifact"]
        places = {Place(n, True, trace["use"], frozenset()) for n in nodes[-1] & _subject(record, subject)}
        self.claim(f"{what} ends at {shown(subject['display'])}", bool(places))
        for i in range(len(steps) - 1, 0, -1):
            if i == 1 and self._generates(trace, places, nodes[0]):
                break
            places = self._step(what, i, steps, nodes[i - 1], places)
        else:
            self._begins(what, trace, nodes[0], places)
        for step in steps[:-1]:
            name = step["artifact"], step["content"]
            self.claim(f"{what}: an entry says that {shown(step['artifact'])} is {shown(name[1])}", self._named(*name))
        self._since(what, trace, nodes[0])

    def _named(self, name: str, content: str) -> bool:
        """Whether an entry gives a name to a content. A pseudonym, which says nothing, contradicts none."""
        if (name, content) in self.record.bound:
            return True
        hidden = any(token in self.pseudonyms for token in TOKEN.findall(name))
        return hidden and (content in self.record.names or not content)

    def _is_named(self, shown_as: str, named: str) -> bool:
        """Whether a name in the case is that of an entry."""
        return shown_as == named or shown_as in self.pseudonyms

    def _generates(self, trace: Json, places: "set[Place]", nodes: set[Node]) -> bool:
        """Whether a path begins with a model, and what it generated is a place that it leads to (law 6)."""
        origin, step, label = stated(trace["origin"]), trace["path"][1], trace["basis"]
        return label == "observed" and any(
            edge.node in nodes and _output_of(edge) == origin and self._run_of(step, run) and edge in run.inputs
            for place in places if place.use == "content" for edge in self.record.generated(place)
            for run in self.record.made[place.node]
        )  # fmt: skip

    def _begins(self, what: str, trace: Json, nodes: set[Node], places: "set[Place]") -> None:
        record, first = self.record, trace["path"][0]
        source, origin = trace["source"], stated(trace["origin"])
        start = shown(first["artifact"])
        self.claim(f"{what} makes it {shown(trace['use'])}", any(place.use == "content" for place in places))
        named = bool(record.nodes(source["display"], source["content"] or "") & nodes)
        self.claim(f"{what} begins at its source, {shown(source['display'])}", named)
        if trace["basis"] is None:
            self.claim(
                f"{what} begins at {start}, for which no entry here names an origin",
                any(not record.spoken(place.node) for place in places),
            )
            return
        tags = [
            tag for place in places if place.use == "content" for tag in record.on.get(place.node, ())
            if (tag.origin, tag.basis) == (origin, trace["basis"]) and not record.cut(place, tag.origin, tag.node)
        ]  # fmt: skip
        self.claim(
            f"{what} begins at {start}, and an entry says that it is {origin_text(trace['origin'])}",
            any(self._declared(trace, tag) for tag in tags),
        )

    def _declared(self, trace: Json, tag: Said) -> bool:
        """Whether a tag says what a path says of it."""
        said = (("declaredBy", tag.by), ("reason", tag.reason), ("evidence", tag.evidence))
        first = trace["path"][0]
        exact = all(trace[name] == value for name, value in said) and self._at(trace["declared"], [tag.entry])
        return exact and first["by"] in ("", tag.by) and (not first["time"] or self._at(first["time"], [tag.entry]))

    def _since(self, what: str, trace: Json, nodes: set[Node]) -> None:
        """Whether a run that read a source with this label, or a directory with one, happened when it is said to have
        been read first, and none on the path before."""
        record, steps = self.record, trace["path"]
        begun: set[Node] = set()
        waiting = list(nodes)
        origin, basis = stated(trace["origin"]), trace["basis"]
        if basis is None:
            waiting += [node for node in record.alone if not record.spoken(node)]
        waiting += [tag.node for tag in record.tags if (tag.origin, tag.basis) == (origin, basis)]
        waiting += [e.node for run in record.runs.values() for e in run.inputs if e.model and _output_of(e) == origin]
        while waiting:
            node = waiting.pop()
            if node not in begun:
                begun.add(node)
                waiting += [*record.files.get(node, ()), *record.holders.get(node, ())]
        runs = [run for node in sorted(begun) for run in record.read.get(node, ())]
        first = next((step for step in steps[1:] if step["run"] or step["time"]), None)
        if first is None and not trace["since"]:
            return
        on_path = [i for r in runs if first and self._run_of(first, r) for i in self._times(r.entries) if i is not None]
        since = instant(trace["since"])
        self.claim(
            f"{what} says since when: {shown(trace['since'])}, as an entry states",
            since is not None
            and self._at(trace["since"], (p for run in runs for p in run.entries))
            and all(since <= time for time in on_path),
        )

    def _step(self, what: str, i: int, steps: Json, before: set[Node], places: "set[Place]") -> "set[Place]":
        """The places before a step, where a run, or a directory and its file, leads from one to where the step ends."""
        step, found, told = steps[i], set(), False
        name = shown(step["artifact"])
        for place in places:
            for there, run, use in self.record.earlier(place):
                if there.node not in before or (run is None and step["run"]):
                    continue
                if run is None or (use == step["use"] and self._run_of(step, run)):
                    found.add(there)
                    told = told or run is None or self._told(step, run)
        if not step["run"] and not step["time"]:
            self.claim(f"{what}, step {i + 1}: {name} and the step before are a directory and its file", bool(found))
        else:
            entries = _listed(step["entries"])
            self.claim(
                f"{what}, step {i + 1}: {shown(step['run'])} made {name} from the step before (entry {entries})",
                bool(found) and told,
            )
        return found

    def _run_of(self, step: Json, run: Run) -> bool:
        return bool(set(step["entries"]) & run.entries)

    def _told(self, step: Json, run: Run) -> bool:
        """Whether the name, the time, the commit and the person of a step are those that an entry of its run states."""
        for position in run.entries:
            event = self.record.events[position]
            how = _execution(event)
            stage = how.get("stage") or (event.get("job") or {}).get("name", "")
            if (
                any(self._is_named(step["run"], name) for name in (stage, stage.rpartition(":")[2]))
                and self._at(step["time"], [position])
                and (step["commit"], step["by"]) == (how.get("commit", ""), how.get("author", ""))
            ):
                return True
        return False


_ANSWERS = ("yes", "evaluation-only", "no", "cannot-tell")
_FIELDS = ("kind", "provider", "service", "channel", "reseller", "terms", "licence")
_CHANGED = {"created": "registered"}


def _origin(origin: Json) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(stated(origin).items()))


def _execution(event: Json) -> Json:
    facets = (event.get("run") or {}).get("facets") or {}
    return (facets.get("lineage_execution") or {}).get("execution") or {}


def _observation(event: Json) -> Json:
    facets = (event.get("run") or {}).get("facets") or {}
    return (facets.get("lineage_observation") or {}).get("observation") or {}


def _as_seen(item: Json, facet: Json) -> bool:
    """Whether a case says of an execution what an entry says was seen of it."""
    plain = ("started", "ended", "mode", "status")
    lists = ("hosts", "libraries", "notes", "faults")
    calls = [{k: v for k, v in call.items() if k not in ("provider", "sentence")} for call in item["calls"]]
    wanted = [{k: v for k, v in call.items() if k != "provider"} for call in facet.get("calls") or ()]
    return (
        all((item[key] or "") == (facet.get(key) or "") for key in plain)
        and all(list(item[key]) == list(facet.get(key) or ()) for key in lists)
        and [read["path"] for read in item["reads"]] == list(facet.get("undeclared") or ())
        and stated(calls) == stated(wanted)
        and all(f"{call['count']:,} " in call["sentence"] or call["counted"] == "mentions" for call in item["calls"])
        and all(call["host"] in call["sentence"] for call in item["calls"])
    )


def _same_kind(seen: "dict[str, str]", declared: "dict[str, str]") -> bool:
    """Whether somebody declared what was seen; the provider may be left out of a declaration, but not be another."""
    return seen["kind"] == declared["kind"] and declared.get("provider", "") in ("", seen.get("provider", ""))


def _not_entry(missing: Sequence[Told]) -> str:
    return f" (not: entry {missing[0].entries[0]})" if missing else ""


def _told_by_act(kind: str, act: Json) -> Iterable[tuple[str, str, str]]:
    """(kind, subject, person) of what is listed in a history for something that a person or a registry said."""
    if kind == "decision":
        yield "decided", act["subject"], act.get("by", "")
    elif kind == "grant":
        gone = act.get("withdrawn")
        yield ("withdrawn", act["id"], act.get("by", "")) if gone else ("granted", act["id"], act.get("approver", ""))
    elif kind in ("removal", "correction"):
        by = act.get("approvedBy", "")
        yield f"{kind}-{'approved' if by else 'claimed'}", act["content"], by or act.get("claimedBy", "")
    elif kind == "change":
        name = f"models:/{act['model']}" + (f"/{act['version']}" if act.get("version") else "")
        yield _CHANGED.get(act["happening"], act["happening"]), name, act.get("by", "")
    else:
        yield "policy", act["sha256"][:12], act.get("by", "")


def _told(event: Json) -> Iterable[tuple[str, str, str]]:
    """The same for an execution, and for each tag."""
    found = _execution(event)
    name = found.get("stage") or (event.get("job") or {}).get("name", "")
    yield "executed", name.rpartition(":")[2] or name, found.get("author", "")
    datasets = [*(event.get("inputs") or ()), *(event.get("outputs") or ())]
    datasets += [event["dataset"]] if event.get("dataset") else []
    for dataset in datasets:
        for tag in ((dataset.get("facets") or {}).get("lineage_origin") or {}).get("tags") or ():
            yield "declared", display(dataset["namespace"], dataset["name"]), tag.get("by", "")


def _but(labels: Sequence[Label]) -> str:
    """What speaks against a statement, in words."""
    return f" (not: {origin_text(dict(labels[0].origin))}, as {shown(labels[0].use)})" if labels else ""


def _through(uses: set[str], use: str) -> set[str]:
    """In which uses something arrives that entered a run in one."""
    if use == "content":
        return uses
    kept = {u for u in uses if u not in ("content", "evaluation")} if use != "evaluation" else set()
    return {use} | kept


def _subject(record: Record, artifact: Json) -> set[Node]:
    return record.nodes(artifact["display"], artifact["content"] or "")


def _strings(value: Json) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _removals(number: int) -> str:
    return "a removal" if number == 1 else f"{number} removals"


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(n) for n in numbers) or "none"


# -- the bundle --------------------------------------------------------------------------------------------------------


class Given(NamedTuple):
    """What the reader brings along, from elsewhere than the bundle."""

    keys: tuple[Key, ...] = ()
    checkpoints: tuple[tuple[str, bytes], ...] = ()
    authority: bytes = b""
    openings: Json = None


_MEMBER = re.compile(
    r"README\.txt|verify\.py|dossier\.(?:html|pdf)|case\.json|entries\.jsonl|tree\.json|checkpoint\.txt|"
    r"checkpoints/[0-9]+\.txt|keys\.txt|timestamp\.tsr|timestamp-authority\.pem|bundle\.(?:json|note)"
)


class Check:
    """One run over a bundle: what was found, step by step."""

    def __init__(self, data: bytes, given: Given, say: Callable[[str], None]) -> None:
        self.data, self.given, self.say = data, given, say
        self.wrong: list[str] = []
        self.unable: list[str] = []
        self.proven: list[str] = []
        self.open: list[str] = []
        """What is not proven."""
        self.files: dict[str, bytes] = {}
        self.entries: dict[int, str] = {}
        self.redacted: set[int] = set()
        self.stamped = 0  # seconds since 1970 that the timestamp states

    def step(self, what: str, work: Callable[[], str]) -> bool:
        """Do one step and say how it went; whether it held."""
        try:
            found = work()
        except Unable as error:
            self.unable.append(str(error))
            self.say(f"  CANNOT   {what}\n           {error}")
            return False
        except Wrong as error:
            self.wrong.append(str(error))
            self.say(f"  FAILED   {what}\n           {error}")
            return False
        except (
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            IndexError,
            RecursionError,
            OverflowError,
            struct.error,
        ) as error:
            self.wrong.append(f"the bundle cannot be read ({type(error).__name__})")
            self.say(f"  FAILED   {what}\n           the bundle cannot be read ({type(error).__name__})")
            return False
        self.say(f"  ok       {what}\n           {found}")
        return True

    def run(self) -> int:
        """Everything, in order. The exit status."""
        if not self.step("The file is a plain zip file with one reading.", self._unpack):
            return self._end()
        if not self.step("Each file in it is as the list in bundle.json says.", self._manifest):
            return self._end()
        sealed = self.step("This computer can check signatures.", lambda: shown(try_openssl()))
        if sealed:
            sealed = self.step("The checkpoint is signed.", self._checkpoint)
            sealed = self.step("The list is signed by the operator's key.", self._signature) and sealed
        placed = self.step("Each entry is in the record that the checkpoint fixes.", self._entries)
        if sealed:
            self.step("Earlier and outside checkpoints fit the same record.", self._continued)
            self.step("The timestamp.", self._timestamp)
        if placed:
            self.step("The statements of the case follow from the entries.", self._case)
            if self.given.openings is not None:
                self.step("The openings fit what was redacted.", self._openings)
        return self._end()

    # the steps; each returns what it found, in plain words

    def _unpack(self) -> str:
        self.files = members(self.data)
        for name in self.files:
            if not _MEMBER.fullmatch(name):
                raise Wrong(f"{shown(name)} is no part of a bundle")
        return f"{len(self.files)} files, nothing between or after them"

    def _manifest(self) -> str:
        for name in (
            "bundle.json",
            "bundle.note",
            "case.json",
            "entries.jsonl",
            "tree.json",
            "checkpoint.txt",
            "keys.txt",
        ):
            if name not in self.files:
                raise Wrong(f"{name} is missing")
        self.bundle = parsed(self.files["bundle.json"], "bundle.json")
        if self.bundle["format"] != BUNDLE_FORMAT:
            raise Unable(
                f"this bundle has the format {shown(self.bundle['format'])}; this verifier knows {BUNDLE_FORMAT}"
            )
        listed = self.bundle["files"]
        there = set(self.files) - {"bundle.json", "bundle.note"}
        for name in sorted(there ^ set(listed)):
            raise Wrong(f"{shown(name)} is {'missing' if name in listed else 'not in the list'}")
        for name in sorted(there):
            if hashlib.sha256(self.files[name]).hexdigest() != listed[name]:
                raise Wrong(f"{name} was changed: its hash is not the one in the list")
        self.proven.append(
            f"no file was changed since the list was made: {', '.join(sorted(n for n in there if n.startswith('dossier')))}"
        )
        return f"{len(there)} files, each with the SHA-256 hash that the list names"

    def _checkpoint(self) -> str:
        self.checkpoint = point = read_checkpoint(self.files["checkpoint.txt"], "checkpoint.txt")
        bundle = self.bundle
        if (bundle["log"], bundle["size"], bundle["root"]) != (
            point.origin,
            point.size,
            base64.b64encode(point.root).decode(),
        ):
            raise Wrong("bundle.json names another checkpoint")
        inside = [read_key(line) for line in self.files["keys.txt"].decode("utf-8").split("\n") if line]
        self.keys = self._vouched(self.given.keys or tuple(signers(point.note, inside, "the checkpoint")))
        by, over = self._signed(point)
        if not by:
            raise Wrong(
                "the record is not signed by the key that you gave: it is somebody else's, or the wrong key"
                if self.given.keys
                else "the checkpoint is not signed by a key in keys.txt"
            )
        if self.given.keys:
            self.proven.append(
                f"who holds the key that you gave signed a record of {over.size} entries called {shown(point.origin)}"
            )
        else:
            self.open.append(
                "whose record this is. The key came inside the bundle, and anybody can make a key. Ask the operator for the "
                "verifier key over another channel (a contract, a web page) and give it with --key"
            )
        later = f" (by a checkpoint of {over.size} entries)" if over.size != point.size else ""
        names = ", ".join(shown(key.text) for key in by)
        inside_only = "" if self.given.keys else " (from inside the bundle)"
        return f"{point.size} entries, log {shown(point.origin)}{later}, key {names}{inside_only}"

    def _signed(self, point: Checkpoint) -> tuple[list[Key], Checkpoint]:
        """Who signed the checkpoint, or else a later one in the bundle; that it continues this one is checked later."""
        if by := signers(point.note, self.keys, "the checkpoint"):
            return by, point
        for name in sorted(self._kept(), key=lambda name: read_checkpoint(self.files[name], name).size):
            later = read_checkpoint(self.files[name], name)
            if (
                later.size >= point.size
                and later.origin == point.origin
                and (by := signers(later.note, self.keys, name))
            ):
                return by, later
        return [], point

    def _kept(self) -> list[str]:
        return sorted(name for name in self.files if name.startswith("checkpoints/"))

    def _vouched(self, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        """The keys, and those that they vouch for: a line ``key …`` in a checkpoint that one of them signed."""
        points = [(name, read_checkpoint(self.files[name], name)) for name in [*self._kept(), "checkpoint.txt"]]
        for name, point in sorted(points, key=lambda item: item[1].size):
            if signers(point.note, keys, name):
                new = [read_key(line[4:]) for line in point.note.text.split("\n")[3:] if line.startswith("key ")]
                keys += tuple(key for key in new if key not in keys)
        return keys

    def _signature(self) -> str:
        note = read_note(self.files["bundle.note"], "bundle.note")
        digest = hashlib.sha256(self.files["bundle.json"]).hexdigest()
        if note.text != f"{BUNDLE_FORMAT}\n{self.checkpoint.origin}\nsha256:{digest}\n":
            raise Wrong("bundle.json was changed: the signed note is about another one")
        if not signers(note, self.keys, "the list"):
            raise Wrong("the list is not signed by the operator's key: somebody else put this bundle together")
        self.proven.append("who holds that key put exactly these files together")
        return "the signature in bundle.note is over bundle.json"

    def _entries(self) -> str:
        leaves: dict[int, bytes] = {}
        last = -1
        if not self.files["entries.jsonl"].endswith(b"\n"):
            raise Wrong("entries.jsonl does not end with a whole line")
        commitments = self.bundle["commitments"]
        tokens: set[str] = set()
        plain: list[int] = []
        for number, line in enumerate(self.files["entries.jsonl"].decode("utf-8").split("\n")[:-1], 1):
            item = parsed(line.encode("utf-8"), f"line {number} of entries.jsonl")
            position, leaf = item["entry"], bytes.fromhex(item["leaf"])
            if type(position) is not int or position <= last or len(leaf) != 32:
                raise Wrong(f"line {number} of entries.jsonl is out of order")
            last = position
            if set(item) == {"entry", "leaf", "event"}:
                if leaf_hash(item["event"].encode("utf-8")) != leaf:
                    raise Wrong(f"entry {position} was changed: its bytes do not have its hash")
                self.entries[position] = item["event"]
            elif set(item) == {"entry", "leaf", "redacted"}:
                self.redacted.add(position)
                self.entries[position] = item["redacted"]
                found = {token.strip('"') for token in TOKEN.findall(item["redacted"])}
                plain += [] if found else [position]
                tokens |= found
            else:
                raise Wrong(f"line {number} of entries.jsonl cannot be read")
            leaves[position] = leaf
        if bool(self.redacted) and not self.bundle["redacted"]:
            raise Wrong("there are redacted entries in a bundle that says it is not redacted")
        if plain:
            raise Wrong(f"entry {plain[0]} is called redacted, and no value in it is: it is another text")
        if tokens - set(commitments):
            raise Wrong(f"{min(tokens - set(commitments))} stands for something that was not committed to")
        tree = parsed(self.files["tree.json"], "tree.json")
        point = read_checkpoint(self.files["checkpoint.txt"], "checkpoint.txt")
        if tree["size"] != point.size:
            raise Wrong("tree.json is about another checkpoint")
        hashes = {}
        for name, value in tree["hashes"].items():
            start, _, end = name.partition("-")
            hashes[int(start), int(end)] = bytes.fromhex(value)
        if tree_root(point.size, leaves, hashes) != point.root:
            raise Wrong(
                "the entries do not lead to the root hash of the checkpoint: an entry, its place or the proof was changed"
            )
        whole = len(leaves) - len(self.redacted)
        if whole:
            self.proven.append(f"{whole} entries stand in that record byte for byte, at the places named")
        if self.redacted:
            self.proven.append(
                f"{len(self.redacted)} entries whose text is redacted stand in that record; their hashes are fixed"
            )
            self.open.append(
                "what the redacted values are, and that nothing else differs between a redacted copy and its entry: the "
                "copies are a signed statement of the operator about entries whose hashes are fixed. A court can have "
                "the values opened (--open), and then the entry's hash proves them"
            )
            self.open.append(
                "that a redacted value stays unknown: who has a list of possible names can try each against the entry's hash"
            )
        redacted = f" ({len(self.redacted)} redacted)" if self.redacted else ""
        return f"{len(leaves)} entries{redacted}, and the hashes that stand in for the other {point.size - len(leaves)}"

    def _continued(self) -> str:
        tree = parsed(self.files["tree.json"], "tree.json")
        proofs = {(p["from"], p["to"]): [bytes.fromhex(h) for h in p["proof"]] for p in tree["consistency"]}
        own = self.checkpoint
        inside = [(name, read_checkpoint(self.files[name], name), False) for name in self._kept()]
        outside = [(what, point, True) for what, data in self.given.checkpoints for point in self._trusted(what, data)]
        for what, point, given in (*inside, *outside):
            if point.origin != own.origin:
                raise Wrong(f"{shown(what)} is of another record: {shown(point.origin)}")
            signers(point.note, self.keys, shown(what))  # a signature that does not hold is told
            low, high = sorted((own, point), key=lambda p: p.size)
            if low.size != high.size and (low.size, high.size) not in proofs:
                raise Unable(
                    f"the bundle does not show that its {own.size} entries and the {point.size} entries of {shown(what)} are "
                    f"one record; ask the operator for a bundle made with: lineagegate bundle … --checkpoint {shown(Path(what).name)}"
                )
            check_consistency(low.size, low.root, high.size, high.root, proofs.get((low.size, high.size), ()))
            if given:
                those = "them" if point.size <= own.size else "the bundle's"
                self.proven.append(
                    f"the record is the one that {shown(what)} fixed with {point.size} entries: none of {those} was changed, "
                    "removed or put in before since"
                )
        if not self.given.checkpoints:
            self.open.append(
                "that the record was not rewritten as a whole before this checkpoint was made, by somebody who has the key. "
                "A checkpoint kept outside (a git note, a registry's tag, a witness) shows it: give it with --checkpoint"
            )
        return f"{len(inside)} earlier ones in the bundle, {len(self.given.checkpoints)} from outside"

    def _trusted(self, what: str, data: bytes) -> Iterable[Checkpoint]:
        """The checkpoints in a file from outside. One that no trusted key signed fixes nothing: anybody can write it."""
        for note in kept(data, shown(what)):
            try:
                point = read_checkpoint(note, shown(what))
                by = signers(point.note, self.keys, shown(what))
            except Wrong as error:
                raise Unable(f"{error}; this says nothing about the bundle") from None
            if not by:
                other = (
                    ""
                    if point.origin == self.checkpoint.origin
                    else f"is of another record, {shown(point.origin)}, and "
                )
                names = ", ".join(shown(f"{name}+{identity.hex()}") for name, identity, _ in point.note.signatures)
                raise Unable(
                    f"{shown(what)} {other}is signed by {names}, which is not a key that you gave nor one that such a key "
                    "vouches for. Anybody can write such a file; if you trust that key, give it with --key"
                )
            yield point

    def _timestamp(self) -> str:
        token = self.files.get("timestamp.tsr")
        authority = self.given.authority or self.files.get("timestamp-authority.pem", b"")
        if token is None:
            self.open.append("when the record was made. There is no timestamp: all times are by the operator's clock")
            return "there is none in this bundle"
        if not authority:
            raise Unable(
                "the certificate of the timestamp's authority is not in the bundle; give it with --authority FILE"
            )
        moment = check_timestamp(token, self.files["checkpoint.txt"], authority)
        self.stamped, time = int(moment.timestamp()), moment.strftime("%Y-%m-%d %H:%M:%S UTC")
        self.proven.append(f"the record was there, as it is, on {time}")
        if not self.given.authority:
            self.open.append(
                "that the timestamp's authority is one you trust: its certificate came inside the bundle. Give the "
                "authority's own certificate with --authority"
            )
        self.open.append(
            "times before the timestamp, and the order of things between two checkpoints: they are by the operator's clock"
        )
        return f"made {time}"

    def _case(self) -> str:
        self.case = case = parsed(self.files["case.json"], "case.json")
        if case["format"] != CASE_FORMAT:
            raise Unable(f"the case has the format {shown(case['format'])}; this verifier knows {CASE_FORMAT}")
        named = {item["position"]: item["hash"] for item in case["entries"]}
        lines = (
            parsed(line.encode("utf-8"), "entries.jsonl")
            for line in self.files["entries.jsonl"].decode("utf-8").split("\n")[:-1]
        )
        if named != {item["entry"]: item["leaf"] for item in lines}:
            raise Wrong("the case rests on other entries than those in the bundle")
        seal = case["seal"]
        if (
            seal is None
            or seal["note"].encode("utf-8") != self.files["checkpoint.txt"]
            or seal["size"] != self.bundle["size"]
        ):
            raise Wrong("the case names another checkpoint")
        if base64.b64decode(seal["timestamp"]) != self.files.get("timestamp.tsr", b""):
            raise Wrong("the case names another timestamp")
        if self.stamped and (instant(seal["timestamped"]) or 0) // 1_000_000 != self.stamped:
            raise Wrong("the case says another time than the timestamp does")
        record = Record(
            {position: parsed(text.encode("utf-8"), f"entry {position}") for position, text in self.entries.items()}
        )
        findings = Findings(case, record, self.bundle["commitments"])
        findings.check()
        if findings.missing:
            count = len(findings.missing)
            raise Wrong(
                f"the entries do not bear out {count} of {count + len(findings.backed)} statements, the first: {findings.missing[0]}"
            )
        self.proven.append(
            f"{len(findings.backed)} statements of the case (paths, tags, decisions, grants, removals, dates) are what the entries say"
        )
        self.open += findings.open
        self._tell(case, record, findings.removed)
        return f"{len(findings.backed)} statements, each borne out by its entries"

    def _tell(self, case: Json, record: Record, removed: Mapping[int, Sequence[int]]) -> None:
        question = case["question"]
        self.say("\n  What the entries say")
        self.say(
            f"    asked     does {shown(question['subject'])} contain {shown(question['origin'] or 'anything that is restricted')}?"
        )
        named = _listed(sorted({entry for entries in removed.values() for entry in entries}))
        rests = f", and that rests on {_removals(len(removed))}: of that origin is what entry {named} names"
        self.say(f"    answer    {shown(case['answer']['contains'])}{rests if removed else ''}")
        for tag in record.tags:
            said = f"{shown(record.names.get(tag.node, tag.node))} is {origin_text(tag.origin)} ({shown(tag.basis)}"
            self.say(f"    entry {tag.entry:<4d}{said}{' by ' + shown(tag.by) if tag.by else ''})")
        for number, item in enumerate(case["removals"]):
            self._tell_removal(item, removed.get(number, ()))
        for number, trace in enumerate(case["traces"], 1):
            steps = " -> ".join(shown(s["artifact"], 60) for s in trace["path"])
            self.say(f"    path {int(number):-4} {origin_text(trace['origin'])}, as {shown(trace['use'])}: {steps}")
        for item in case["decisions"]:
            decision = item["decision"]
            self.say(
                f"    decision  {shown(decision['time'])} {shown(decision['subject'])}: {shown(decision['action'])} {shown(decision['outcome'])}"
            )
        self.say("")
        self.open.append(
            "that what people declared and tools recorded is true: the record shows who said what and when, and that it was "
            "not changed since"
        )
        self.open.append(
            "who people are: names are as the user's own settings gave them, and nobody authenticated them. That two names "
            "are two people, so that nobody approved alone, is not shown"
        )
        self.open.append(
            "that no other entry of the record bears on the case: the operator chose which to hand over, and the hashes of "
            "the others say only how many there are"
        )
        self.open.append(
            "what was computed and is not in any entry: the answer's sentence, the verdict under the policy, shares and sizes, "
            "the numbers of sources, the wording of the history, the list of what is not known, which aliases "
            "and stage the model has now, the run and commit named for it, the times at which entries were recorded"
        )
        self.open.append(
            "that dossier.html and dossier.pdf say what case.json says, beyond the operator's signature over all three: "
            "compare them with what stands here under 'What the entries say'"
        )

    def _tell_removal(self, item: Json, of: Sequence[int]) -> None:
        gone = item["removal"]
        words = {name: shown(gone.get(name) or "not stated") for name in ("run", "checked", "result", "evidence")}
        digest = shown(gone.get("evidenceHash") or "not a file whose hash is recorded")
        approved = (
            f"approved by {shown(gone['approvedBy'])} on {shown(item['approved'])}"
            if item["approved"]
            else "not approved"
        )
        self.say(f"    removal   {shown(gone['id'])}, {shown(item['state'])} (entry {_listed(item['entries'])})")
        for text in (
            f"of {origin_text(gone['origin'])}{', what entry ' + _listed(of) + ' names' if of else ''}; by {words['run']}",
            f"claimed by {shown(gone['claimedBy'])} on {shown(item['claimed'])}, {approved}",
            f"checked: {words['checked']}; result: {words['result']}",
            f"evidence: {words['evidence']} ({digest})",
        ):
            self.say(f"              {text}")
        if of:
            self.open.append(
                f"that what removal {shown(gone['id'])} speaks of was taken out: the entries show who claimed it and who "
                "approved it, and what they said was checked; they do not test it. Ask for the evidence, and have it tried"
            )

    def _openings(self) -> str:
        openings = self.given.openings
        if openings["format"] != OPENINGS_FORMAT:
            raise Unable(f"these openings have the format {shown(openings['format'])}")
        values: dict[str, str] = {}
        for token, item in openings["openings"].items():
            value = item["value"]
            if token not in self.bundle["commitments"]:
                raise Wrong(f"{shown(token)} is not in this bundle: the openings are of another one")
            if (
                hashlib.sha256(bytes.fromhex(item["salt"]) + value.encode("utf-8")).hexdigest()
                != self.bundle["commitments"][token]
            ):
                raise Wrong(f"{shown(token)} was not {shown(value)}: the value does not fit what was committed to")
            values[token] = value
            self.say(f"           {token} is {shown(value)}")
        leaves = {}
        for line in self.files["entries.jsonl"].decode("utf-8").split("\n")[:-1]:
            item = json.loads(line)
            leaves[item["entry"]] = item["leaf"]
        whole = 0
        for position in sorted(self.redacted):
            text = self.entries[position]
            if {token.strip('"') for token in TOKEN.findall(text)} <= set(values):
                opened = TOKEN.sub(lambda match: values[match.group().strip('"')], text)
                if leaf_hash(opened.encode("utf-8")).hex() != leaves[position]:
                    raise Wrong(
                        f"entry {position}, opened, does not have its hash: the redacted copy differs from the entry"
                    )
                whole += 1
        if whole:
            self.proven.append(f"{whole} redacted entries, opened whole, have the hashes that the record fixes")
        self.proven.append(f"{len(values)} redacted values are those that the operator committed to")
        return f"{len(values)} values, {whole} entries opened whole of {len(self.redacted)} that are redacted"

    def _end(self) -> int:
        if not self.wrong and not self.unable:
            self.say("Proven:")
            for text in self.proven:
                self.say(f"  - {text}.")
            self.say("Not proven:")
            for text in self.open:
                self.say(f"  - {text}.")
            self.say("")
            if self.given.keys:
                self.say("VERIFIED")
                return 0
            self.say("VERIFIED within itself; whose record it is was not checked (no --key)")
            return 3
        self.say("")
        if self.wrong:
            self.say(f"NOT VERIFIED: {self.wrong[0]}")
            return 1
        self.say(f"CANNOT CHECK: {self.unable[0]}")
        return 2


# -- the command -------------------------------------------------------------------------------------------------------


def _load(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Unable(f"{shown(path)} cannot be read ({error.strerror})") from None


def main(arguments: Sequence[str]) -> int:
    """Check a bundle; the exit status."""
    if not arguments or "-h" in arguments or "--help" in arguments:
        print(__doc__)
        return 0 if arguments else 2
    keys: list[Key] = []
    checkpoints: list[tuple[str, bytes]] = []
    paths: list[str] = []
    authority, openings, show = b"", None, ""
    rest = list(arguments)
    try:
        while rest:
            word = rest.pop(0)
            option, equal, value = word.partition("=")
            if not word.startswith("--"):
                paths.append(word)
                continue
            if option not in ("--key", "--checkpoint", "--authority", "--open", "--show"):
                raise Unable(f"no option is called {shown(option)}; --help lists them")
            if not equal:
                if not rest:
                    raise Unable(f"{option} needs a value")
                value = rest.pop(0)
            if option == "--key":
                text = _load(value).decode("utf-8", "replace") if Path(value).is_file() else value
                found = [read_key(line) for line in text.split("\n") if line.strip()]
                if not found:
                    raise Unable(f"there is no key in {shown(value) or 'what --key was given'}")
                keys += found
            elif option == "--checkpoint":
                checkpoints.append((value, _load(value)))
            elif option == "--authority":
                authority = _load(value)
            elif option == "--open":
                openings = parsed(_load(value), shown(value))
            else:
                show = value
        if len(paths) != 1:
            raise Unable("name one bundle")
        data = _load(paths[0])
        if show:
            return _show(data, show)
    except (Unable, Wrong) as error:
        print(f"CANNOT CHECK: {error}")
        return 2
    print(f"{shown(paths[0])}  sha256:{hashlib.sha256(data).hexdigest()}")
    return Check(data, Given(tuple(keys), tuple(checkpoints), authority, openings), print).run()


def _show(data: bytes, number: str) -> int:
    """Print the text of one entry, unchecked."""
    for line in members(data).get("entries.jsonl", b"").decode("utf-8").split("\n")[:-1]:
        item = parsed(line.encode("utf-8"), "entries.jsonl")
        if str(item.get("entry")) == number:
            text = item.get("event", item.get("redacted"))
            print(
                "\n".join(
                    shown(part, 10_000)
                    for part in json.dumps(json.loads(text), indent=2, ensure_ascii=False).split("\n")
                )
            )
            return 0
    raise Unable(f"entry {shown(number)} is not in the bundle")


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))
