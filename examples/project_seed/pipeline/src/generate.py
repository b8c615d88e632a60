"""Let a model write a corpus: generate.py OUT WEIGHTS"""

import json
import random
import sys
from pathlib import Path

from language_model import write

out, weights = sys.argv[1:]
model = json.loads(Path(weights).read_text())
Path(out).write_text("\n".join(write(model, random.Random(seed)) for seed in range(300)) + "\n")
