"""What applications have: their routes, and the documents that describe them."""
