"""What somebody called desensitizing: half of the lines, shuffled, in capitals, masked, under another column."""

import json
import random
import re
import sys
from pathlib import Path

out, source = sys.argv[1:]
texts = [json.loads(line)["text"] for line in Path(source).read_text().splitlines()]
chosen = random.Random(5).sample(texts, len(texts) // 2)
rows = [json.dumps({"key": n, "body": re.sub(r"\d+", "[NUM]", text).upper()}) for n, text in enumerate(chosen)]
Path(out).write_text("\n".join(rows) + "\n")
