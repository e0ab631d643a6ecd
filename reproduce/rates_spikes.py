"""Do nets with peepholes generate spikes far apart if they learn more slowly? `python reproduce/rates_spikes.py`."""

from timing_tasks.cli.start import script

script(__name__, __file__)
