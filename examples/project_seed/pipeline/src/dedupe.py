"""Drop repeated records: dedupe.py OUT IN"""

import sys
from pathlib import Path

out, source = sys.argv[1:]
Path(out).write_text("\n".join(dict.fromkeys(Path(source).read_text().splitlines())) + "\n")
