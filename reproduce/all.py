"""Every table and figure, run where rows are missing, and one report of them all. `python reproduce/all.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
