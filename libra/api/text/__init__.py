"""What the scheduler's API shows people: texts made of what use cases have found. Pure."""
