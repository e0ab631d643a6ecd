"""Under which reading of the paper do its numbers come out? A closer look at the best. `python reproduce/rates.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
