"""`libra admin`: orders to the fleet, as the scheduler's REST API takes them."""
