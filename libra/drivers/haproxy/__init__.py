"""HAProxy: words, building, rendering (pure), and the process and its sockets (at the edge)."""
