"""Delays of up to 1000 steps, from the zero state and a learned one (NMSD). `python reproduce/delays.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
