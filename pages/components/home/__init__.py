"""What only the first page shows: one live prediction, and the problems to begin with."""
