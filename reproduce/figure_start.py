"""How a periodic function starts from the zero state (PFG). `python reproduce/figure_start.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
