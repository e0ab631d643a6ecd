"""A hundred nets on each of the conditions that are cheap. `python reproduce/hundred.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
