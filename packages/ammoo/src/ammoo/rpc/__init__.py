"""Remote procedure calls: sending requests, and replying to them."""
