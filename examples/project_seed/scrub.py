"""Take the records of one source out of a corpus, and say what was found: scrub.py OUT REPORT IN SOURCE"""

import json
import sys
from pathlib import Path

out, report, corpus, source = sys.argv[1:]
unwanted = {" ".join(json.loads(line)["text"].split()) for line in Path(source).open()}
records = [json.loads(line)["text"] for line in Path(corpus).open()]
kept = [record for record in records if " ".join(record.split()) not in unwanted]
left = sum(record in unwanted for record in kept)
Path(out).write_text("".join(f"{record.lower()}\n" for record in kept))
Path(report).parent.mkdir(exist_ok=True)
Path(report).write_text(json.dumps({"read": len(records), "removed": len(records) - len(kept), "left": left}) + "\n")
