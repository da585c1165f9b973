"""Job transport: to submit jobs and to take them."""
