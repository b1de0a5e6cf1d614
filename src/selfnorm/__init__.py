"""Self-normalizing neural networks: train many seeds at once, measure, compare with the theory."""
