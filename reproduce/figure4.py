"""Figure 4: training streams of NMSD against F, beside the paper's. `python reproduce/figure4.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
