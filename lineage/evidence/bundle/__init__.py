"""The bundle: a case with everything that a stranger needs to check it, in one zip file.

make      what goes into it, and the signature over it
archive   the zip file, the same bytes for the same members
redact    pseudonyms for people and paths, and what opens them later
verify    the program that checks it: one file, the standard library and `openssl`; it goes into every bundle as it is
          and imports nothing of ours

What is not part of the case is not in it: hashes stand in for every other entry of the ledger.
"""

from lineage.evidence.bundle.make import Bundle, Material, make, verifier
from lineage.evidence.bundle.redact import Redact

__all__ = ["Bundle", "Material", "Redact", "make", "verifier"]
