"""Runs in the second environment: a few lines of code, in a folder where they find their files."""

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    job = json.loads((Path(sys.argv[1]) / "job.json").read_text(encoding="utf-8"))
    exec(compile(job["code"], job["name"], "exec"))
