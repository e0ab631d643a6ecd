"""Back-propagation through time and the online recipe, other nets, learned states. `python reproduce/recipes.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
