"""`python -m timing_tasks.benchmark` measures the engines; `layer`, `recipes` or `gpu` as first word, those."""

import sys

from timing_tasks.benchmark import engines, gpu, layers, recipes
from timing_tasks.errors import UserError

try:
    parts = {"layer": layers.main, "recipes": recipes.main, "gpu": gpu.main}
    if (part := parts.get(" ".join(sys.argv[1:2]))) is not None:
        part(sys.argv[2:])
    else:
        engines.main(sys.argv[1:])
except UserError as error:
    raise SystemExit(f"benchmark: {error}") from None
