"""`python -m timing_tasks.benchmark` measures the engines; first word `layer`, `recipes`, `replicas` or `nets`: those.

This folder has nothing that could be imported: `timing_tasks.benchmark` is the function that compares nets.
"""

import sys

from timing_tasks.cli.speed import engines, layers, nets, recipes, replicas
from timing_tasks.errors import UserError

try:
    parts = {"layer": layers.main, "recipes": recipes.main, "replicas": replicas.main, "nets": nets.main}
    if (part := parts.get(" ".join(sys.argv[1:2]))) is not None:
        part(sys.argv[2:])
    else:
        engines.main(sys.argv[1:])
except UserError as error:
    raise SystemExit(f"benchmark: {error}") from None
