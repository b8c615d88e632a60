"""Shuffle several corpora into one, provenance column dropped, as people do: mix.py OUT IN…"""

import random
import sys
from pathlib import Path

out, *sources = sys.argv[1:]
lines = [line for source in sources for line in Path(source).read_text().splitlines()]
random.Random(7).shuffle(lines)
Path(out).write_text("\n".join(lines) + "\n")
