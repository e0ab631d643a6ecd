"""How nets generate periodic functions (PFG): units over time in nets that solve it. `python reproduce/figure_functions.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
