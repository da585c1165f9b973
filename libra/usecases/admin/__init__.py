"""What operators order about the whole fleet: device pools, many devices at once, maps; each on record."""
