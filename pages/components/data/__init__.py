"""What only the Data page shows."""
