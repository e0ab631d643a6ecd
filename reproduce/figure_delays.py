"""How nets measure delays (NMSD, MSD): units over time in nets that solve it. `python reproduce/figure_delays.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
