"""Health checks by ping. HAProxy does none, so the worker pings members and tells HAProxy what it found."""
