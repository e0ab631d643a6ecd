"""What the scripts of `reproduce/` do, by the kind of their configs."""
