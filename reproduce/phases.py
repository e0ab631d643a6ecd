"""The initial state, whatever phase a cosine begins with (PFG). `python reproduce/phases.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
