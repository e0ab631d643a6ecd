"""The online recipe: the paper's own rule, for a whole population, by one of several engines."""
