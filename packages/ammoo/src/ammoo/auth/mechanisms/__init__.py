"""The mechanisms that need a login and password, or a certificate."""
