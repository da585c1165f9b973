"""The worker protocol: bytes to typed requests, and replies. No I/O. Contract: doc/reference/messages."""
