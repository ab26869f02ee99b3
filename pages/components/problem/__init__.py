"""What two or more pages ask of the current problem."""
