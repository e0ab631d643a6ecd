"""Table 3: generating timed spikes (GTS), with and without peepholes and forget gates. `python reproduce/table3.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
