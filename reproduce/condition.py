"""Any one condition, the paper's or not: `python reproduce/condition.py task=msd task.min_interval=15`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
