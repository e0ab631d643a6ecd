"""Table 4: generating periodic functions (PFG), by peepholes and forget gates. `python reproduce/table4.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
