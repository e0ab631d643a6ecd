"""The learned initial state against the zero state, on every task of the paper. `python reproduce/initial_state.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
