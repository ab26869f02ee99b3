"""What lessons and figures are made of."""
