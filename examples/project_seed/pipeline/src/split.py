"""Every tenth record is held out: split.py TRAIN HOLDOUT IN"""

import sys
from pathlib import Path

train, holdout, source = sys.argv[1:]
lines = Path(source).read_text().splitlines()
Path(train).write_text("\n".join(line for i, line in enumerate(lines) if i % 10) + "\n")
Path(holdout).write_text("\n".join(lines[::10]) + "\n")
