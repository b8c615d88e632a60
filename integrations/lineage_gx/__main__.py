"""``python -m lineage_gx [DIRECTORY] [MODULE…]``: stored suites that would lose an expectation when they are loaded.

Exit status: 0 none, 1 some, 2 the project cannot be read.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Check the suites of the project in a directory, with the modules imported that the team imports itself."""
    import great_expectations

    from lineage.errors import printable
    from lineage_gx.suites import check

    directory, *modules = arguments or ["."]
    try:
        if not any(
            (Path(directory) / folder / "great_expectations.yml").is_file()
            for folder in ("gx", "great_expectations", ".")
        ):
            raise FileNotFoundError("gx/great_expectations.yml is not there")  # it would be made
        for module in modules:
            importlib.import_module(module)
        context = great_expectations.get_context(mode="file", project_root_dir=directory)
        notices = check(context)
    except Exception as error:  # a traceback is no answer
        sys.stderr.write(printable(f"{directory} cannot be read: {type(error).__name__}: {error}") + "\n")
        return 2
    for notice in notices:
        sys.stdout.write(f"{notice.code}  {printable(notice.where)}: {notice.message}\n  hint   {notice.hint}\n")
    sys.stdout.write(f"{len(notices)} found\n")
    return 1 if notices else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
