"""`python -m timing_tasks.benchmark` measures the engines, `python -m timing_tasks.benchmark layer` the layer."""

import sys

from timing_tasks.benchmark import engines, layers
from timing_tasks.errors import UserError

try:
    if sys.argv[1:2] == ["layer"]:
        layers.main(sys.argv[2:])
    else:
        engines.main(sys.argv[1:])
except UserError as error:
    raise SystemExit(f"benchmark: {error}") from None
