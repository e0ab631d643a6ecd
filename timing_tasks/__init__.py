"""Peephole LSTMs on precise timing tasks: a re-run of Gers, Schraudolph and Schmidhuber (JMLR 2002).

Importing this package is cheap: torch, lightning and matplotlib are imported by the modules that need them.
"""

__version__ = "0.3.0"
