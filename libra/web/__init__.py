"""The page for people: server-rendered, live over server-sent events, nothing loaded from outside."""
