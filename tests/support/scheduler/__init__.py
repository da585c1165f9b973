"""A walk along every URL of the scheduler's page."""
