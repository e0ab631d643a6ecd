"""Your own rows beside the committed ones, net by net. `python reproduce/compare.py FOLDER`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
