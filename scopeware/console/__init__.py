"""What people use to make their tokens."""
