"""What TensorBoard shows of a run: curves, pictures, and a table of the conditions with their hyperparameters."""
