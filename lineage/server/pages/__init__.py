"""The record for people who look, in a browser: made by the server, whole without any script.

ask      what a lawyer asks: what a model contains, what would be recalled
look     the other pages; `found`: what they ask of the record beyond the questions of the command line
do       the forms: come in, declare, grant, claim, approve, withdraw, try a policy; `forms`: what a form sent
door     who looks: a token kept as a session, forms that only our own pages can send
show     a question's answer as a page or as its document; failures as a page
router   where they are registered

What may be seen and done is `lineage.server.access`'s; what is asked and recorded is `lineage.gate`'s, as everywhere.
``static`` holds the style, which builds on the dossier's, and htmx, which fetches one hop more into the same page.
"""

from lineage.server.pages import ask, do, look
from lineage.server.pages.router import router

__all__ = ["ask", "do", "look", "router"]
