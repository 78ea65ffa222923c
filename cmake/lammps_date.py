"""Print LAMMPS's date as YYYYMMDD from `PACKAGE_VERSION "2025.7.22.4"` or `LAMMPS_VERSION "22 Jul 2025"`."""

import re
import sys
from datetime import datetime

text = sys.argv[1]
if match := re.search(r'"(\d{4})\.(\d+)\.(\d+)', text):
    year, month, day = map(int, match.groups())
    print(f"{year:04}{month:02}{day:02}")
elif match := re.search(r'"(\d+ \w+ \d{4})', text):
    print(datetime.strptime(match.group(1), "%d %b %Y").strftime("%Y%m%d"))
elif match := re.search(r'"(\d{8})', text):
    print(match.group(1))
else:
    sys.exit(f"nnpal: no LAMMPS date in: {text}")
