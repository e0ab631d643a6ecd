"""Table 1: measuring spike delays (NMSD and MSD), with and without peepholes. `python reproduce/table1.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
