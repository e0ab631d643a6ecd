"""How far the recipes get with intervals of up to 1000 steps (NMSD, GTS). `python reproduce/horizon.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
