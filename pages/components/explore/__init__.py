"""What only the Explore page shows."""
