"""UPDATE messages of protocol 2.0: any number of load balancers, each with listeners and pools of its own.

A message says so with `"hpcs_version": "2.0"`; without it the contract of 1.0 holds, to the letter.
"""
