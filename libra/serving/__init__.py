"""Answers web services that HAProxy does not answer itself: a process of its own behind it, run by the worker."""
