"""What only the Solvers page shows."""
