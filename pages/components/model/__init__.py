"""What only the Model page shows."""
