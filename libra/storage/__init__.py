"""Where the controller keeps its truth: one SQL database, SQLite or PostgreSQL."""
