"""What runs on other people's engines."""
