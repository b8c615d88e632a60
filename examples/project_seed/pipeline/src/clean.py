"""Keep the text of every record, trimmed, one JSON object a line: clean.py OUT IN…"""

import json
import sys
from pathlib import Path

out, *sources = sys.argv[1:]
with Path(out).open("w") as sink:
    for source in sources:
        for line in Path(source).open():
            record = json.loads(line)
            print(json.dumps({"text": " ".join(record["text"].split())}), file=sink)
