"""How fast things are: the engines of the online recipe, and the layer."""
