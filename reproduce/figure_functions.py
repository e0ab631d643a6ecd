"""How nets generate periodic functions (PFG): solved nets over time. `python reproduce/figure_functions.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
