"""The use cases in one place. What integrations and the command line call.

gate       record, sync, declare, grant, judge: everything that adds to the ledger
inquiry    the questions about the record as it stands; `past`: as it stood
questions  contains, share, history, impact; `case`: one of them with all its evidence; `wanted`: what a word means
recall     every version judged again; `life`: what registries did
removal    claims and approvals; `removed`, `validation`: what bears them out
content    fingerprints of restricted data; `matching`: the search at the gate
intake     one writer for many who have something to record; `load`: events of others from files
seal       checkpoints and keys; `witness`, `verification`: who saw them, and whether they hold
audit      the registries against the ledger
"""

from lineage.gate.audit import AuditFinding
from lineage.gate.gate import Gate, SyncReport
from lineage.gate.inquiry import Answer, Inquiry

__all__ = ["Answer", "AuditFinding", "Gate", "Inquiry", "SyncReport"]
