"""The loop that keeps devices as the database says: sends jobs, settles replies, looks, repairs."""
