"""`libra status`: the fleet at a glance, as the scheduler's REST API tells it."""
