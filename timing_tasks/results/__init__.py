"""What came out: rows, their folders, published values, statistics."""
