"""The API as the commands use it."""

from libra.client.rest import NotNow, Refused, Rest, open_rest

__all__ = ["NotNow", "Refused", "Rest", "open_rest"]
