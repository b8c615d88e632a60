"""What things are: origins, uses, labels, tags, artifacts, runs, grants, decisions. Frozen values, no input or output.

The words are the field's own: dataset, job, run (OpenLineage), derivation (W3C PROV), trainedOn (SPDX 3).
"""

from lineage.vocabulary.access import Access, Passage, Role
from lineage.vocabulary.artifact import Artifact, ArtifactType, Content, Execution, Input, Member
from lineage.vocabulary.decision import Decision, Finding, Grant, Outcome, Scope, Shortfall, Step
from lineage.vocabulary.identity import same_person
from lineage.vocabulary.observation import Call, Observation
from lineage.vocabulary.origin import (
    CLEAN_KINDS,
    UNDECLARED,
    Basis,
    Correction,
    Kind,
    Label,
    Match,
    Origin,
    Removal,
    Tag,
    Use,
)
from lineage.vocabulary.registry import Change, Happening, PolicyFile, PolicyRecord
from lineage.vocabulary.usage import Left, LoggedCalls, UsageLog

__all__ = [
    "CLEAN_KINDS",
    "UNDECLARED",
    "Access",
    "Artifact",
    "ArtifactType",
    "Basis",
    "Call",
    "Change",
    "Content",
    "Correction",
    "Decision",
    "Execution",
    "Finding",
    "Grant",
    "Happening",
    "Input",
    "Kind",
    "Label",
    "Left",
    "LoggedCalls",
    "Match",
    "Member",
    "Observation",
    "Origin",
    "Outcome",
    "Passage",
    "PolicyFile",
    "PolicyRecord",
    "Removal",
    "Role",
    "Scope",
    "Shortfall",
    "Step",
    "Tag",
    "UsageLog",
    "Use",
    "same_person",
]
