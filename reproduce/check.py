"""Do the committed rows come out again? A random sample of them, digit for digit. `python reproduce/check.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
