"""How reliable are the solved nets? 100 fresh test sets for each of them. `python reproduce/reliability.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
