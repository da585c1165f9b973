"""What customers own, as it is stored: load balancers and their parts, in Octavia's words and units.

Everything here is a frozen record with the ids of what it belongs to; `tree` puts the records of one load balancer
together. What a device is told is made of trees (`libra.model.loadbalancer` has the words of that side).
Times are aware and in UTC.
"""
