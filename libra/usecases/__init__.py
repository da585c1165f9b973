"""What a person or a client can ask for. Speaks to Protocols only; every write is one transaction and one job."""
