"""Words in lower case, one record a line; names and numbers masked: tokens.py OUT IN"""

import json
import re
import sys
from pathlib import Path

out, source = sys.argv[1:]
with Path(out).open("w") as sink:
    for line in Path(source).open():
        words = re.findall(r"[\w']+|[.?!]", json.loads(line)["text"].lower())
        print(" ".join("<num>" if word.isdigit() else word for word in words), file=sink)
