"""W3C PROV: PROV-JSON (W3C Member Submission, 24 April 2013) of PROV-DM (W3C Recommendation, 30 April 2013).

======================================  =====================================================================
ours                                    PROV
======================================  =====================================================================
dataset or model version                Entity
run                                     Activity; its time is ``prov:endTime``
input of a run and its use              used, the use as ``prov:role``
output of a run                         wasGeneratedBy
made from, through a run                wasDerivedFrom; not for evaluation, which measures and does not derive
who ran it                              Agent, wasAssociatedWith
origin: provider                        Agent, wasAttributedTo
origin: everything else                 attributes ``lg:kind``, ``lg:channel`` … of the declaration
tag                                     Entity ``lg:Declaration``, attributed to who declared it
decision                                Activity ``lg:Decision`` that used the model and the grants that freed something
grant, removal, correction              Entity ``lg:Grant`` …, attributed to approver or claimant
approval of a removal or correction     Activity ``lg:Approval`` that used it
question, answer, coverage              Entity ``lg:Answer``
======================================  =====================================================================

What it cannot say: that something did not happen. PROV is read with an open world, so "complete" is an attribute of
ours (``lg:complete``) that a PROV tool does not act on. Uses are roles without a meaning that PROV knows.
"""

from __future__ import annotations

from typing import Any

from lineage.errors import printable
from lineage.evidence.case import Case
from lineage.evidence.exports.view import VOCABULARY, Node, basis, encode, identifier, stated, utc, view
from lineage.vocabulary import ArtifactType, Use

VERSION = "PROV-JSON 2013-04-24"
PREFIX = {"lg": VOCABULARY + "prov#", "id": "urn:uuid:"}

_Attributes = dict[str, Any]


class _Records:
    """A PROV-JSON document in the making. A relation's name is made from its members, so that it is there once."""

    def __init__(self) -> None:
        self.document: dict[str, dict[str, Any]] = {"prefix": PREFIX}

    def element(self, kind: str, identity: str, kinds: str, **attributes: Any) -> str:
        name = f"id:{identity}"
        own = {"prov:type": _name(f"lg:{kinds}"), **_given(attributes)}
        self.document.setdefault(kind, {}).setdefault(name, own)
        return name

    def agent(self, name: str, kinds: str = "Identity") -> str:
        return self.element("agent", identifier("agent", name), kinds, **{"prov:label": printable(name)})

    def relation(self, kind: str, **members: Any) -> str:
        own = {f"prov:{key}": value for key, value in members.items() if value}
        name = "id:" + identifier(kind, *(f"{key}={value}" for key, value in own.items()))
        self.document.setdefault(kind, {})[name] = own
        return name

    def attributed(self, entity: str, who: str, kinds: str = "Identity") -> None:
        if who:
            self.relation("wasAttributedTo", entity=entity, agent=self.agent(who, kinds))


def prov(case: Case) -> str:
    """The case as PROV-JSON."""
    found, out = view(case), _Records()
    for node in found.nodes:
        _entity(out, node)
    model = f"id:{found.model.id}"
    for hop in found.hops:
        run, read, made = hop.run, f"id:{hop.read.id}", f"id:{hop.made.id}"
        activity = out.element(
            "activity", run.id, "Run",
            **{"prov:label": run.name, "prov:endTime": run.time, "lg:commit": run.commit, "lg:evidence": run.evidence},
        )  # fmt: skip
        used = out.relation("used", activity=activity, entity=read, role=hop.use.value)
        if hop.makes:
            generated = out.relation("wasGeneratedBy", entity=made, activity=activity)
        else:
            out.relation("used", activity=activity, entity=made, role="evaluated")
        if hop.use is not Use.EVALUATION:
            out.relation(
                "wasDerivedFrom", generatedEntity=made, usedEntity=read, activity=activity,
                generation=generated, usage=used,
            )  # fmt: skip
        if run.by:
            out.relation("wasAssociatedWith", activity=activity, agent=out.agent(run.by))
    for source in found.sources:
        for trace in source.traces:
            out.attributed(f"id:{source.node.id}", trace.origin.provider, "Provider")
            tag = out.element(
                "entity",
                identifier("tag", source.node.id, str(stated(trace.origin)), basis(trace.basis), trace.declared),
                "Declaration",
                **{"lg:about": _name(f"id:{source.node.id}"), "lg:basis": basis(trace.basis),
                   "lg:declared": printable(trace.declared), "lg:reason": printable(trace.reason),
                   "lg:evidence": printable(trace.evidence)},
                **{f"lg:{name}": value for name, value in stated(trace.origin)},
            )  # fmt: skip
            out.attributed(tag, trace.declared_by)
    _said(out, case, model)
    return encode(out.document)


def _entity(out: _Records, node: Node) -> None:
    kinds = {ArtifactType.MODEL: "Model", ArtifactType.DATASET: "Dataset"}.get(node.type, "Artifact")  # type: ignore[arg-type]
    out.element("entity", node.id, kinds, **{"prov:label": node.name, "lg:content": printable(node.content)})


def _said(out: _Records, case: Case, model: str) -> None:
    """What people and the gate said about it."""
    for use in case.grants:
        grant = use.grant
        entity = out.element(
            "entity", identifier("grant", grant.id), "Grant",
            **{"prov:label": printable(grant.id), "lg:reference": printable(grant.reference),
               "lg:from": printable(grant.from_), "lg:until": printable(grant.until),
               "lg:withdrawn": str(grant.withdrawn).lower()},
        )  # fmt: skip
        out.attributed(entity, grant.approver)
    known = {use.grant.id for use in case.grants}
    for judged in case.decisions:
        decision = judged.decision
        activity = out.element(
            "activity", identifier("decision", decision.id), "Decision",
            **{"prov:label": printable(f"{decision.action} {decision.subject}: {decision.outcome.value}"),
               "prov:endTime": utc(decision.time), "lg:decision": printable(decision.id),
               "lg:outcome": decision.outcome.value, "lg:reason": printable(decision.reason),
               "lg:policy": printable(decision.policy), "lg:content": printable(judged.content)},
        )  # fmt: skip
        if judged.content and judged.content == case.subject.artifact.content:
            out.relation("used", activity=activity, entity=model, role="judged")
        for identity in sorted({finding.grant for finding in decision.findings} & known):
            out.relation("used", activity=activity, entity=f"id:{identifier('grant', identity)}", role="grant")
        if decision.by:
            out.relation("wasAssociatedWith", activity=activity, agent=out.agent(decision.by))
    for kinds, views in (("Removal", case.removals), ("Correction", case.corrections)):
        for shown in views:
            claim = getattr(shown, kinds.lower())
            entity = out.element(
                "entity", identifier(kinds, claim.id), kinds,
                **{"prov:label": printable(claim.id), "lg:content": printable(claim.content),
                   "lg:state": printable(shown.state), "lg:claimed": printable(shown.claimed),
                   "lg:reason": printable(claim.reason)},
                **{f"lg:{name}": value for name, value in stated(claim.origin)},
            )  # fmt: skip
            out.attributed(entity, claim.claimed_by)
            if claim.approved_by:
                approval = out.element(
                    "activity", identifier("approval", claim.id), "Approval",
                    **{"prov:label": printable(f"approval of {claim.id}"), "prov:endTime": utc(shown.approved)},
                )  # fmt: skip
                out.relation("used", activity=approval, entity=entity, role="approved")
                out.relation("wasAssociatedWith", activity=approval, agent=out.agent(claim.approved_by))
    out.element(
        "entity", identifier("answer", case.question.subject, case.question.origin, case.question.asked), "Answer",
        **{"prov:label": printable(case.answer.sentence), "lg:about": _name(model),
           "lg:contains": case.answer.contains.value, "lg:complete": str(case.coverage.complete).lower(),
           "lg:entries": str(case.coverage.position), "lg:asOf": printable(case.question.as_of),
           "lg:knownAt": printable(case.question.known_at)},
    )  # fmt: skip


def _name(qualified: str) -> dict[str, str]:
    """A qualified name as an attribute's value."""
    return {"$": qualified, "type": "prov:QUALIFIED_NAME"}


def _given(attributes: _Attributes) -> _Attributes:
    """The attributes that have a value: what PROV does not find is not known."""
    return {name: value for name, value in attributes.items() if value != ""}
