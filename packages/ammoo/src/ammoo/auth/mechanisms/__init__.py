"""The mechanisms that need nothing but login and password, or not even these."""
