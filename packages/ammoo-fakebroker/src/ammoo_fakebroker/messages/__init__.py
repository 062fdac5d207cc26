"""Messages and their properties, as the broker keeps them."""
