"""Which cells can keep time: eleven kinds at equal numbers of weights on TIMING-20. `python reproduce/cells.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
