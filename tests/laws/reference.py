"""A naive reference for the eleven laws: everything recomputed from the events' JSON, by brute force over plain dicts.

It shares no code with `lineage.graph`: written from SEMANTICS.md, slow on purpose, and without any idea of order.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import msgspec

from lineage.vocabulary import Basis, Kind, Label, Origin, Use

TRIVIAL = {
    "md5:d41d8cd98f00b204e9800998ecf8427e",
    "md5:99914b932bd37a50b983c5e7c90ae93b",
}

Node = tuple[str, ...]
Source = tuple[Any, ...]  # ("self", node, removed) or ("generated", namespace, name, removed)
Pair = tuple[Source, str]


def node_of(namespace: str, name: str, content: dict[str, Any] | None) -> Node:
    if content is None:
        return ("name", f"{namespace}/{name}")
    if _trivial(content):
        return ("name", f"{namespace}/{name}#{content['hash']}")
    return ("content", content["hash"])


def _trivial(content: dict[str, Any]) -> bool:
    size = content.get("size")
    return content["hash"] in TRIVIAL or (size is not None and size < 16 and not content["hash"].endswith(".dir"))


def _text_node(text: str) -> Node:
    return ("content", text) if text.startswith("md5:") else ("name", text)


def _origin(value: dict[str, Any]) -> Origin:
    return msgspec.convert(value, Origin)


class Reference:
    """What the events say, in whatever order they come."""

    def __init__(self, events: list[bytes]) -> None:
        self.inputs: dict[str, set[tuple[Node, str, bool, tuple[str, str]]]] = defaultdict(set)
        self.outputs: dict[str, set[tuple[Node, bool]]] = defaultdict(set)
        self.tags: dict[Node, set[tuple[Origin, str]]] = defaultdict(set)
        self.alone: set[Node] = set()
        self.files: dict[Node, set[Node]] = defaultdict(set)
        self.flows: set[tuple[Node, Node]] = set()
        self.same: dict[Node, set[Node]] = defaultdict(set)
        self.removals: list[dict[str, Any]] = []
        self.corrections: list[dict[str, Any]] = []
        for data in events:
            self._read(json.loads(data))
        self.taken = self._agreed_corrections()
        self.removed = self._agreed_removals()
        self.pairs = self._fixpoint()

    # reading

    def _read(self, event: dict[str, Any]) -> None:
        job = event.get("job") or {}
        run = event.get("run")
        if job.get("namespace") == "lineagegate" and job.get("name") in ("decide", "grant", "removal", "correction"):
            facets = (run or {}).get("facets") or {}
            if "lineage_removal" in facets:
                self.removals.append(facets["lineage_removal"]["removal"])
            if "lineage_correction" in facets:
                self.corrections.append(facets["lineage_correction"]["correction"])
            return
        if run is not None:
            key = "run " + run["runId"]
        elif event.get("dataset") is not None:
            node, model = self._dataset(event["dataset"])
            if made_from := self._made_from(event["dataset"]):
                key = f"said {node}"
                self.outputs[key].add((node, model))
                for name in made_from:
                    self._read_name(key, name)
            if not (event.get("inputs") or event.get("outputs")):
                return
            key = f"job {job['namespace']}/{job['name']}"
        elif event.get("inputs") or event.get("outputs"):
            key = f"job {job['namespace']}/{job['name']}"
        else:
            return
        if run is not None and event.get("dataset") is not None:
            node, model = self._dataset(event["dataset"])
            if made_from := self._made_from(event["dataset"]):
                self.outputs[key].add((node, model))
                for name in made_from:
                    self._read_name(key, name)
        for dataset in (*(event.get("inputs") or ()), *(event.get("outputs") or ())):
            for name in self._made_from(dataset):
                self._read_name(key, name)
        for dataset in event.get("inputs") or ():
            node, model = self._dataset(dataset)
            use = ((dataset.get("inputFacets") or {}).get("lineage_use") or {}).get("use", "content")
            self.inputs[key].add((node, use, model, (dataset["namespace"], dataset["name"])))
        for dataset in event.get("outputs") or ():
            self.outputs[key].add(self._dataset(dataset))

    def _read_name(self, key: str, name: dict[str, Any]) -> None:
        node, _ = self._dataset({"namespace": name["namespace"], "name": name["name"]})
        self.inputs[key].add((node, "content", False, (name["namespace"], name["name"])))

    @staticmethod
    def _made_from(dataset: dict[str, Any]) -> list[dict[str, Any]]:
        facets = dataset.get("facets") or {}
        columns = (facets.get("columnLineage") or {}).get("fields") or {}
        found = [field for column in columns.values() for field in column.get("inputFields") or ()]
        return [*found, *((facets.get("lineage") or {}).get("inputs") or ())]

    def _names(self, dataset: dict[str, Any], node: Node) -> None:
        """Other names: labels travel both ways between names, and from a content to its name."""
        facets = dataset.get("facets") or {}
        others = list((facets.get("symlinks") or {}).get("identifiers") or ())
        if before := (facets.get("lifecycleStateChange") or {}).get("previousIdentifier"):
            others.append(before)
        own = node_of(dataset["namespace"], dataset["name"], None)
        for other in others:
            named = node_of(other["namespace"], other["name"], None)
            if named != own:
                self.alone |= {own, named}
                self.flows |= {(own, named), (named, own)}
                self.same[own].add(named)
                self.same[named].add(own)
                if node != own:
                    self.flows.add((node, own))

    def _one_thing(self, node: Node) -> set[Node]:
        found, waiting = {node}, [node]
        while waiting:
            new = self.same[waiting.pop()] - found
            found |= new
            waiting += new
        return found - {node}

    def _dataset(self, dataset: dict[str, Any]) -> tuple[Node, bool]:
        facets = dataset.get("facets") or {}
        content = facets.get("lineage_content")
        node = node_of(dataset["namespace"], dataset["name"], content)
        self._names(dataset, node)
        self.alone.add(node)
        for tag in (facets.get("lineage_origin") or {}).get("tags", ()):
            if tag["origin"]["kind"] != "undeclared":
                self.tags[node].add((_origin(tag["origin"]), tag.get("basis", "declared")))
        for member in (content or {}).get("members", ()):
            if not _trivial(member) and ("content", member["hash"]) != node:
                self.files[node].add(("content", member["hash"]))
        return node, (facets.get("datasetType") or {}).get("datasetType", "").upper() == "MODEL"

    # acts: a claim, and an approval of the very same claim by someone else

    @staticmethod
    def _agreed(acts: list[dict[str, Any]], same: Any) -> list[dict[str, Any]]:
        def both(act: dict[str, Any]) -> bool:
            alike = [a for a in acts if a["id"] == act["id"] and same(a) == same(act)]
            return any(not a.get("approvedBy") for a in alike) and any(
                a.get("approvedBy") and _people(a["approvedBy"]).isdisjoint(_people(a["claimedBy"])) for a in alike
            )

        return [act for act in acts if both(act)]

    def _agreed_removals(self) -> dict[Node, dict[Origin, set[Node]]]:
        def same(a: dict[str, Any]) -> Any:
            return a["origin"], a["content"], set(a["sources"]), a["claimedBy"]

        out: dict[Node, dict[Origin, set[Node]]] = defaultdict(lambda: defaultdict(set))
        for act in self._agreed(self.removals, same):
            node, origin = _text_node(act["content"]), _origin(act["origin"])
            if not self._contradicted(node, origin, set()):
                out[node][origin] |= {_text_node(s) for s in act["sources"]}
        return out

    def _contradicted(self, node: Node, origin: Origin, seen: set[Node]) -> bool:
        """Whether a standing match on a content, or on a file of it, says that the origin is there after all."""
        if node in seen:
            return False
        seen.add(node)
        for found, basis in self.tags.get(node, set()) - self.taken.get(node, set()):
            alike = (found.provider, origin.provider), (found.service, origin.service)
            if basis == "matched" and found.kind is origin.kind and all(a == b or not a or not b for a, b in alike):
                return True
        return any(self._contradicted(file, origin, seen) for file in self.files.get(node, ()))

    def _agreed_corrections(self) -> dict[Node, set[tuple[Origin, str]]]:
        def same(a: dict[str, Any]) -> Any:
            return a["origin"], a["basis"], a["content"], a["claimedBy"]

        out: dict[Node, set[tuple[Origin, str]]] = defaultdict(set)
        for act in self._agreed(self.corrections, same):
            out[_text_node(act["content"])].add((_origin(act["origin"]), act["basis"]))
        return out

    # what follows

    def _explains(self, run: str, node: Node) -> bool:
        inputs = self.inputs[run]
        return any(use != "evaluation" for _, use, _, _ in inputs) and all(n != node for n, _, _, _ in inputs)

    def _makers(self, node: Node) -> list[str]:
        return [run for run, outputs in self.outputs.items() if any(n == node for n, _ in outputs)]

    def explained(self, node: Node) -> bool:
        """Law 8, asked of every name of one thing."""
        others = self._one_thing(node)
        return self._made(node) or any(self._made(other) or _spoken(self._current(other)) for other in others)

    def _made(self, node: Node) -> bool:
        """Some run made it from data; or it is a file of a directory that stands for it."""
        if any(self._explains(run, node) for run in self._makers(node)):
            return True
        if self.files.get(node):
            return False
        for directory, files in list(self.files.items()):
            if node in files:
                makers = [run for run in self._makers(directory) if self._explains(run, directory)]
                if not makers or any(all(n != node for n, _, _, _ in self.inputs[run]) for run in makers):
                    return True
        return False

    def _current(self, node: Node) -> set[tuple[Origin, str]]:
        return self.tags.get(node, set()) - self.taken.get(node, set())

    def _is_source(self, node: Node) -> bool:
        return bool(self._current(node)) or (node in self.alone and not self.explained(node))

    @staticmethod
    def _through(pairs: set[Pair], use: str, model: bool) -> set[Pair]:
        out: set[Pair] = set()
        for source, was in pairs:
            if model and was == "evaluation":
                continue
            if use == "content":
                out.add((source, was))
            else:
                out.add((source, use))
                if use != "evaluation" and was not in ("content", "evaluation"):
                    out.add((source, was))
        return out

    def _inherited(self, node: Node, pairs: set[Pair]) -> set[Pair]:
        """What an approved removal leaves of what a node inherits (law 2)."""
        out: set[Pair] = set()
        for source, use in pairs:
            bottom = source[1] if source[0] == "self" else ("name", f"{source[1]}/{source[2]}")
            gone = {origin for origin, sources in self.removed.get(node, {}).items() if bottom in sources}
            out.add(((*source[:-1], source[-1] | gone), use))
        return out

    def _fixpoint(self) -> dict[Node, set[Pair]]:
        made: dict[Node, set[Pair]] = defaultdict(set)  # what makers and own tags give
        full: dict[Node, set[Pair]] = defaultdict(set)  # what readers see
        for node in self.alone | set(self.tags):
            if self._is_source(node):
                made[node].add((("self", node, frozenset()), "content"))
        while True:
            before = sum(map(len, made.values())) + sum(map(len, full.values()))
            for run in list(self.outputs) + [r for r in self.inputs if r not in self.outputs]:
                inputs = self.inputs[run]
                inherited: set[Pair] = set()
                for node, use, model, _ in inputs:
                    inherited |= self._through(full[node], use, model)
                generated = {
                    (("generated", *name, frozenset()), "content")
                    for _, use, model, name in inputs
                    if model and use != "evaluation"
                }
                for node, model in self.outputs[run]:
                    made[node] |= self._inherited(node, inherited if model else inherited | generated)
                for tested, use, model, _ in inputs:
                    if model and use in ("content", "base-model"):
                        for node, other, other_model, _ in inputs:
                            if other == "evaluation":
                                made[tested] |= self._inherited(
                                    tested, self._through(full[node], "evaluation", other_model)
                                )
            for directory, files in self.files.items():
                for file in files:
                    made[file] |= self._inherited(file, made[directory])
                    full[directory] |= self._inherited(directory, full[file])
            for from_, to in self.flows:
                made[to] |= self._inherited(to, full[from_])
            for node in list(made):
                full[node] |= made[node]
            if before == sum(map(len, made.values())) + sum(map(len, full.values())):
                return full

    # answers

    def _resolved(self, source: Source) -> set[tuple[Origin, Basis | None]]:
        if source[0] == "generated":
            service = display(source[1], source[2])
            found: set[tuple[Origin, Basis | None]] = {
                (Origin(Kind.FIRST_PARTY_MODEL_OUTPUT, service=service), Basis.OBSERVED)
            }
        else:
            found = {(origin, Basis(basis)) for origin, basis in self._current(source[1])}
            if not self.explained(source[1]) and not _spoken(self._current(source[1])):
                found.add((Origin(Kind.UNDECLARED), None))
        return {(o, b) for o, b in found if not any(_takes(gone, o) for gone in source[-1])}

    def labels(self, namespace: str, name: str, content: dict[str, Any] | None) -> frozenset[Label] | str:
        """Labels, or why there is no answer: ``ARTIFACT_UNKNOWN``, ``NO_SOURCE``."""
        node = node_of(namespace, name, content)
        if node not in self.alone and not any(node in files for files in self.files.values()):
            return "ARTIFACT_UNKNOWN"
        pairs = self.pairs[node]
        if not pairs:
            return "NO_SOURCE"
        return frozenset(
            Label(origin, Use(use), basis) for source, use in pairs for origin, basis in self._resolved(source)
        )


def _spoken(tags: set[tuple[Origin, str]]) -> bool:
    """Whether anybody but an outsider put an origin there (law 8)."""
    return any(basis != "imported" for _, basis in tags)


def _takes(gone: Origin, origin: Origin) -> bool:
    return (
        origin.kind is not Kind.UNDECLARED
        and gone.kind is origin.kind
        and gone.provider in ("", origin.provider)
        and gone.service in ("", origin.service)
        and gone.channel in ("", origin.channel)
    )


def _people(who: str) -> set[str]:
    """Name, address and the whole, as the worlds of the laws write them."""
    text = " ".join(who.lower().split())
    return {text, *(part.strip(" <>") for part in text.split("<"))}


def display(namespace: str, name: str) -> str:
    """The laws' worlds only have ``dvc://`` names, which people know by their path."""
    assert namespace.startswith("dvc://")
    return name
