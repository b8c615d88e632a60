"""A gate whose decisions the team's server makes (``[team] gate = "server"``). What happens here is recorded here.

The question travels with everything that it rests on; decision, policy and checkpoint are the server's, and nothing is
decided from this machine's ledger, not even when the server is away: then nothing is decided, and that refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import msgspec

from lineage.config import Config, load
from lineage.errors import CannotDecide
from lineage.events.naming import display
from lineage.gate.address import url_of
from lineage.gate.client import Client, Team, Unanswered, client_for
from lineage.gate.gate import Gate
from lineage.gate.inquiry import judged_elsewhere
from lineage.graph import Labels
from lineage.vocabulary import Artifact, ArtifactType, Change, Content, Decision, Label, Role

GLANCE = 2.0
"""Seconds to wait for what is only shown."""


class _Ref(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    type: ArtifactType
    content: str | None


class _Known(msgspec.Struct, frozen=True):
    contents: tuple[_Ref | None, ...]
    told: tuple[bool, ...]
    watched: tuple[frozenset[str], ...]


class _Carried(msgspec.Struct, frozen=True):
    labels: tuple[Label, ...]
    sources: int
    position: int


class _Recorded(msgspec.Struct, frozen=True):
    entries: int


class _Decided(msgspec.Struct, frozen=True):
    decision: Decision
    blocks: bool
    checkpoint: str


def gate_of(config: Config | None = None, start: Path | None = None) -> Gate:
    """The gate that judges registrations here: this project's own, or one that asks the team's server.

    Raises:
        UsageError: no settings, no store, or one that cannot be used.
    """
    config = config or load(start)
    team = Team.of(config) if judged_elsewhere(config) else None
    if team is None:
        return Gate.open(config)
    gate = RemoteGate.open(config)
    assert isinstance(gate, RemoteGate)
    gate.team = team
    return gate


class RemoteGate(Gate):
    """See the module. Its answers and errors are those of `Gate`, and `Unanswered`."""

    team: Team
    _witnessed = ""

    @cached_property
    def _client(self) -> Client:
        return client_for(self.team, Role.GATE)

    @cached_property
    def _looking(self) -> Client:
        """For what is only shown: nobody waits long for it."""
        return client_for(replace(self.team, patience=min(self.team.patience, GLANCE)), Role.GATE)

    def close(self) -> None:
        """Release the store and the connections."""
        for name in ("_client", "_looking"):
            if name in self.__dict__:
                self.__dict__[name].close()
        super().close()

    def judge(
        self,
        artifact: Artifact | None,
        *,
        model: str,
        subject: str,
        action: str,
        attributes: Mapping[str, str] | None = None,
        missing: str = "",
        hint: str = "",
        events: Sequence[bytes] = (),
        by: str = "",
    ) -> Decision:
        """Have the server decide, and record the decision there before it is returned. As `Gate.judge`.

        Raises:
            Unanswered: there is no decision.
        """
        asked = None
        if artifact is not None:
            content = artifact.content
            held = {"hash": content.hash, "size": content.size, "files": content.files} if content else None
            asked = {
                "namespace": artifact.namespace, "name": artifact.name, "content": held, "type": artifact.type,
            }  # fmt: skip
        body = {
            "model": model, "subject": subject, "action": action, "artifact": asked, "attributes": attributes or {},
            "missing": missing, "hint": hint, "events": [msgspec.Raw(event) for event in events], "by": by,
        }  # fmt: skip
        found = self._client.ask("POST", "/api/v1/decide", body, _Decided)
        decision = found.decision
        if (decision.model, decision.subject, decision.action) != (model, subject, action) or (
            decision.blocks is not found.blocks
        ):
            raise Unanswered(
                f"what {self.team.server} answers is about something else", code="SERVER_NONSENSE",
                cause=f"{action} of {subject} was asked about, {decision.action} of {decision.subject} came back",
            )  # fmt: skip
        self._witnessed = found.checkpoint
        return decision

    @property
    def pages(self) -> str:
        """Where people reach the server: as this machine does, unless the settings say otherwise."""
        return url_of(self.config) or self.team.server

    def checkpoint(self) -> str:
        """The server's newest checkpoint after the last decision."""
        return self._witnessed

    def changed(self, *changes: Change, events: Sequence[bytes] = ()) -> int:
        """Have the server record what a registry did. As `Gate.changed`."""
        body = {"changes": changes, "events": [msgspec.Raw(event) for event in events]}
        return self._client.ask("POST", "/api/v1/changes", body, _Recorded).entries

    def decision(self, identity: str) -> Decision | None:
        """A decision that the server recorded."""
        try:
            return self._client.ask("GET", f"/api/v1/decisions/{quote(identity, safe='')}", None, Decision)
        except Unanswered as error:
            if error.code == "ARTIFACT_UNKNOWN":
                return None
            raise

    def known_content(self, key: str) -> Artifact | None:
        """The artifact that the server recorded with a content key, if any."""
        (found,) = self._known({"contents": [key]}).contents
        if found is None:
            return None
        return Artifact(found.namespace, found.name, Content(found.content) if found.content else None, found.type)

    def labels(self, artifact: Artifact) -> Labels:
        """What the server says that an artifact carries."""
        meant = artifact.content.hash if artifact.content else display(artifact.namespace, artifact.name)
        found = self._looking.ask("GET", f"/api/v1/check?target={quote(meant, safe='')}", None, _Carried)
        return Labels(frozenset(found.labels), found.sources, found.position)

    def told(self, artifact: Artifact) -> bool:
        """Whether a pipeline or a person told the server of an artifact."""
        version = {"namespace": artifact.namespace, "name": artifact.name}
        if artifact.content:
            version["content"] = artifact.content.hash
        return self._known({"versions": [version]}).told == (True,)

    def watched(self, run_ids: Sequence[str]) -> list[frozenset[str]]:
        """Of each run the executions of which the server knows what was seen."""
        return list(self._known({"runs": run_ids}).watched) if run_ids else []

    def _known(self, body: Mapping[str, object]) -> _Known:
        asked = sum(len(value) for value in body.values() if isinstance(value, list))
        found = self._client.ask("POST", "/api/v1/known", body, _Known)
        if len(found.contents) + len(found.told) + len(found.watched) != asked:
            raise CannotDecide(f"what {self.team.server} answers is not what was asked", code="SERVER_NONSENSE")
        return found
