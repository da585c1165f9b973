"""What each page shows, read from the use cases."""
