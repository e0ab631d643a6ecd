"""How nets generate timed spikes (GTS): units over time in nets that solve it. `python reproduce/figure_spikes.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
