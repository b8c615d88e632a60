"""The tutorial as a reader does it: every command of docs/tutorial.md, and every line that it prints there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.integrations.mlflow.example_project import clean_environment

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
VARYING = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)|(?P<id>\b01[0-9A-Z]{24}\b)|(?P<model>\bm-[0-9a-f]{32}\b)|(?P<commit>\b[0-9a-f]{7}\b)"
)


def plain(text: str) -> list[str]:
    """Lines without what differs from run to run."""
    return [VARYING.sub(lambda found: f"<{found.lastgroup}>", line).rstrip() for line in text.splitlines()]


def test_the_tutorial_holds(tmp_path: Path) -> None:
    script, shown = ["set -u"], list[str]()
    for language, body in re.findall(r"```(sh|console)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        if language == "sh":
            script.append(body)
            continue
        for line in body.splitlines():
            if line.startswith("$ "):
                script.append(line[2:])
            elif line.strip("… "):
                shown.append(line)
    (tmp_path / ".gitconfig").write_text("[user]\n\tname = Lin Seed\n\temail = lin@seed.example\n")
    home = str(tmp_path)
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=tmp_path, env=clean_environment(HOME=home, LOGNAME="lin", USER="lin"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
    )  # fmt: skip
    printed = iter(plain(done.stdout))
    for line in plain("\n".join(shown)):
        assert line in printed, (
            f"{line!r} is not printed, or not here:\n{done.stdout}"
        )  # `in` goes on from the last one
