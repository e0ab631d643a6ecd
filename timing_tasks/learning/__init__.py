"""How a net learns: the online recipe and its engines."""
