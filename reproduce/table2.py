"""Table 2: NMSD with wider and with more intervals, F = 10, identity output. `python reproduce/table2.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
