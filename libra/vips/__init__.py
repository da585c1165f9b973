"""The addresses of load balancers on this host's interfaces."""
