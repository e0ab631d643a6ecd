"""The verdict on the paper, from the rows of its tables; nothing is trained. `python reproduce/verdict.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
