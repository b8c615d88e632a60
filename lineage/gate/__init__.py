"""The use cases in one place. What integrations and the command line call.

gate     record, sync, declare, grant, judge: everything that adds to the ledger
inquiry  the questions about the record as it stands
audit    the registries against the ledger
"""

from lineage.gate.audit import AuditFinding
from lineage.gate.gate import Gate, SyncReport
from lineage.gate.inquiry import Answer, Inquiry

__all__ = ["Answer", "AuditFinding", "Gate", "Inquiry", "SyncReport"]
