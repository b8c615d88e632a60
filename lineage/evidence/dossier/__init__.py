"""The dossier: one `Case` as a document that a lawyer can hand over, in HTML, PDF, JSON or on a terminal.

outline    which sections, in which order
found      the question, the answer, the paths and the shares, in blocks
said       what people and the gate said, and what happened
proof      the checkpoint, how to check it, what was cited
blocks     what sections are made of; nothing of how they look
words      dates, sizes, people, outcomes as people read them
picture    where the boxes and lines of the paths stand; svg draws them, metrics measures their text
html, pdf  one way each to show an outline; the PDF needs the extra ``pdf``
text       the short form for a terminal

All of it are pure functions of the case: no clock, no store, no network; the same case gives the same bytes.
"""

from lineage.evidence.dossier.outline import Outline, outline

__all__ = ["Outline", "outline"]
