"""Under which reading of the paper do its numbers come out? A screen of many. `python reproduce/protocols.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
