"""Every failure a caller can meet, as one class: a code to branch on, what happened, why, and the command that helps.

A library never exits the process; the command line turns the code into an exit status (docs/reference/cli.md).
"""

from __future__ import annotations


def printable(text: str) -> str:
    """One line as a terminal may show it.

    Control characters, line breaks, direction overrides and invisible characters are written as escapes (``\\n``,
    ``\\x1b``, ``\\u202e``): a name that somebody chose can neither forge a line nor hide one. Applied twice it changes
    nothing more.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class LineageError(Exception):
    """Something cannot be done, read, verified or decided.

    Args:
        message: what happened, one sentence for a person.
        code: stable, upper snake case, for programs (``POLICY_INVALID``).
        cause: why it happened, in the words of whoever knows (a parser, the operating system).
        hint: what to do next, a command where there is one.
    """

    code = "ERROR"

    def __init__(self, message: str, *, code: str | None = None, cause: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.cause = cause
        self.hint = hint

    def __str__(self) -> str:
        lines = [printable(self.message)]
        # a parser's words may have several lines; they hang under the first
        for index, line in enumerate(self.cause.split("\n") if self.cause else ()):
            lines.append(f"  {'' if index else 'cause':<5}  {printable(line.strip())}")
        if self.hint:
            lines.append(f"  hint   {printable(self.hint)}")
        return "\n".join(lines)


class UsageError(LineageError):
    """The request or the configuration is wrong; nothing was changed. Exit status 2."""

    code = "USAGE"


class CannotDecide(LineageError):  # noqa: N818 - the outcome's own name (SEMANTICS.md: "cannot decide" refuses)
    """The question is sound but the answer cannot be established. Never read as "allow". Exit status 3."""

    code = "CANNOT_DECIDE"
