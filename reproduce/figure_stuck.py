"""Where a learned initial state hurts: rect, F = 10, while nets are stuck. `python reproduce/figure_stuck.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
