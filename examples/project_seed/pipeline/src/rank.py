"""Keep the records that a judge rated 3 or better: rank.py OUT TEXTS RATINGS"""

import json
import sys
from pathlib import Path

out, texts, ratings = sys.argv[1:]
rating = {record["id"]: record["rating"] for record in map(json.loads, Path(ratings).open())}
with Path(out).open("w") as sink:
    for line in Path(texts).open():
        record = json.loads(line)
        if rating.get(record["id"], 0) >= 3:
            print(record["text"].lower(), file=sink)
