"""What requests hold, checked, and what answers look like."""
