"""The questions about another time: what was true then, and what had been recorded by then (law 11).

A question is answered by the same code as today's, over a graph made from the ledger's entries of then: for named
artifacts from those that the answer rests on, else from all of them. Nothing here records.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from lineage.errors import CannotDecide, UsageError
from lineage.evidence.layout import when
from lineage.gate.inquiry import Inquiry, model_without_version, recorded_name, target_of
from lineage.gate.life import changes, versions
from lineage.graph import Act, Graph
from lineage.ledger import happened
from lineage.ledger.clock import moment_of
from lineage.vocabulary import Artifact, Content, PolicyRecord

if TYPE_CHECKING:
    from lineage.graph.seals import Seals
    from lineage.policy import Policy


class Past(Inquiry):
    """The record as it was. Close it when done (it is a context manager).

    Args:
        present: the record as it stands.
        as_of: what was true then: events that had happened, the policy, rules and grants that held; None: now.
        known_at: what had been recorded by then; None: everything. Without ``as_of`` rules and grants are taken as they
            held at this time: the answer is what the gate would have said then.
        policy: a policy file to judge under instead of the one that held.
    """

    def __init__(
        self, present: Inquiry, as_of: datetime | None, known_at: datetime | None, policy: Path | None = None
    ) -> None:
        super().__init__(present.config, present.graph)
        self.as_of = as_of
        self.known_at = known_at
        self._present = present
        self._file = policy
        self._made: list[tuple[frozenset[Artifact], bool, Graph]] = []

    def close(self) -> None:
        """Release what was made for the questions; the present record stays open."""
        for _, _, graph in self._made:
            graph.close()
        self._made.clear()
        if "_whole" in self.__dict__:
            del self._whole

    def __enter__(self) -> Past:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def moment(self) -> datetime:
        return self.as_of or self.known_at or super().moment

    @property
    def seals(self) -> Seals:
        return self._present.seals

    @cached_property
    def user(self) -> str:
        return self._present.user

    @property
    def graph(self) -> Graph:
        """The whole record of then: every entry is read again, which takes as long as it took to record them."""
        return self._whole

    @cached_property
    def _whole(self) -> Graph:
        graph = self._graph.as_of(happened=self.as_of, recorded=self.known_at)
        self._made.append((frozenset(), False, graph))
        return graph

    def over(self, *artifacts: Artifact, downstream: bool = False) -> Graph:
        wanted = frozenset(artifacts)
        for about, ahead, graph in self._made:
            if "_whole" in self.__dict__ and graph is self._whole:
                return graph
            if wanted and wanted <= about and ahead >= downstream:
                return graph
            if not wanted and not about:
                return graph
        made = self._graph.as_of(happened=self.as_of, recorded=self.known_at, about=wanted, downstream=downstream)
        self._made.append((wanted, downstream, made))
        return made

    def policy(self) -> Policy:
        """The policy in force then, as far as it had been recorded.

        Raises:
            CannotDecide: ``POLICY_UNKNOWN``, none had been recorded, or what was recorded cannot be read.
        """
        from lineage.policy import load_policy, recorded_policy

        if self._file is not None:
            return load_policy(self._file)
        for said in reversed(self._graph.acts((Act.POLICY,))):
            if isinstance(said.act, PolicyRecord) and self._held(said.recorded, said.happened):
                return recorded_policy(said.act)
        raise CannotDecide(
            f"the policy that held is not known{when(*self.times)}",
            code="POLICY_UNKNOWN",
            cause="no policy had been recorded by then; one is at every sync and every decision since",
            hint="`--policy FILE` judges under the policy of a file",
        )

    def _held(self, recorded: str, time: str) -> bool:
        if self.known_at is not None and datetime.fromisoformat(recorded) > self.known_at:
            return False
        return self.as_of is None or moment_of(happened(time).microseconds) <= self.as_of

    # names: what lies in the work tree now says nothing of then, but what it is called does

    def resolve(self, text: str, *, whole_model: bool = False) -> Artifact:
        for pipeline in self.pipelines:
            target = target_of(pipeline, text)
            named = target.artifact if target else pipeline.locate(text)
            if named is not None:
                name = Artifact(named.namespace, named.name)
                if (found := self.over(name).find(name.namespace, name.name)) is not None:
                    return found
        recorded = self._recorded(text, whole_model=whole_model)
        if recorded is None:
            raise self._unknown(text)
        return recorded

    def _meant(self, text: str) -> Iterable[Artifact]:
        yield Artifact("", text, Content(text))
        for namespace, name in self._places(text):
            yield Artifact(namespace, name)
        name = recorded_name(text)
        for row in self._graph.names(prefix=name):
            numbered = model_without_version(text) and row.name.rpartition("/")[0] == name
            if row.name == name or numbered:
                yield Artifact(row.namespace, row.name)

    def known_content(self, key: str) -> Artifact | None:
        return self.over(Artifact("", key, Content(key))).find_content(key)


def time_of(present: Inquiry, text: str, *, known: bool) -> datetime:
    """The moment that a person means.

    Args:
        present: the record as it stands.
        text: a day (its end, in UTC), an ISO 8601 time with its zone, the id of a decision, or a registered version
            (``models:/seed-chat/7``: the moment at which it was registered).
        known: when that was recorded, not when it happened.

    Raises:
        UsageError: ``TIME_INVALID``: it is none of these, or lies in the future.
        CannotDecide: ``TIME_UNKNOWN``, no such decision or version is recorded; ``NOTHING_RECORDED``, it lies before
            the first entry.
    """
    from lineage.policy.pattern import instant

    now = datetime.now(timezone.utc)
    if (said := _recorded_moment(present.graph, text, known=known)) is not None:
        moment = said
    else:
        try:
            moment = instant(text, end=True)
        except ValueError as error:
            raise UsageError(
                f"{text!r} is no moment",
                code="TIME_INVALID",
                cause=str(error),
                hint="a day (2024-05-01: its end, in UTC), a time with its zone (2024-05-01T12:00:00Z), the id of a "
                "decision, or models:/NAME/VERSION",
            ) from None
        if text.strip() == now.date().isoformat():
            moment = now  # the day is not over
    if moment > now:
        raise UsageError(
            f"{text} lies in the future",
            code="TIME_INVALID",
            cause=f"it is {now.isoformat(timespec='seconds')} now",
            hint="nothing can be known of it",
        )
    if known and present.graph.position():
        first = present.graph.event(0).recorded
        if moment < datetime.fromisoformat(first):
            raise CannotDecide(
                f"nothing had been recorded by {moment.isoformat()}",
                code="NOTHING_RECORDED",
                cause=f"the first entry of the ledger is of {first}",
                hint="--as-of asks what was true then, by what is recorded today",
            )
    return moment


def _recorded_moment(graph: Graph, text: str, *, known: bool) -> datetime | None:
    """When a decision was made or a version registered; None for other texts."""
    if len(text) == 26 and text.isalnum():
        found = graph.acts((Act.DECISION,), text.upper())[:1]
        moments = [(said.recorded, said.happened) for said in found]
    elif text.startswith("models:/"):
        model, _, version = text.removeprefix("models:/").partition("/")
        life = changes(graph, model)
        # of a number that was used again the newest: it is what the name means
        made = versions(life).get((model, version))
        moments = [(made.recorded, made.created)] if made and made.created else []
        for name in dict.fromkeys([*(item.change.model for item in life), model]):
            if not moments:  # a registry that does not say what it did: when the version was first heard of
                for row in graph.names(prefix=f"models/{name}/{version}"):
                    if row.name == f"models/{name}/{version}":
                        moments += graph.first_named(row.namespace, row.name)
    else:
        return None
    if not moments:
        what = "no decision has this id" if not text.startswith("models:/") else "no such version is recorded"
        raise CannotDecide(
            f"when {text} was is not known", code="TIME_UNKNOWN", cause=what, hint="`lineagegate why` takes it, too"
        )
    if known:
        return max(datetime.fromisoformat(recorded) for recorded, _ in moments)
    return moment_of(max(happened(time).microseconds for _, time in moments))
