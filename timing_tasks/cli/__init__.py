"""How it is started: configs, overrides, one-line errors, interrupts."""
