"""What is allowed: the policy file, matching, the decision, grants, packs, and the catalogue of providers.

Pure: no store, no network, no clock but where a test of a policy asks for "now". Files are read in `source` alone, and
the package's own data (packs, catalogue, starter policy) where it is used.

    load       file -> Policy: `source` (one file), `file` (its shape), `compile`, `contradictions`, packs
    policy     the compiled rules and what they match on (`pattern`)
    decision   labels + Policy + grants -> Decision
    grants     what may be granted, and what a grant in force frees
    cases      the tests beside a policy; `view`: what a policy says, for people
    catalogue  providers, resellers, channels, hosts and terms
"""

from lineage.policy.cases import CaseResult, run_tests
from lineage.policy.catalogue import Catalogue, Channel, Provider, Terms, catalogue
from lineage.policy.decision import cannot_decide, decide
from lineage.policy.grants import check_grant
from lineage.policy.load import load_policy, packs, parse_policy, policy_record, recorded_policy
from lineage.policy.policy import Policy, Rule
from lineage.policy.starter import starter_policy
from lineage.policy.view import RuleView, Said, explain, show

__all__ = [
    "CaseResult",
    "Catalogue",
    "Channel",
    "Policy",
    "Provider",
    "Rule",
    "RuleView",
    "Said",
    "Terms",
    "cannot_decide",
    "catalogue",
    "check_grant",
    "decide",
    "explain",
    "load_policy",
    "packs",
    "parse_policy",
    "policy_record",
    "recorded_policy",
    "run_tests",
    "show",
    "starter_policy",
]
