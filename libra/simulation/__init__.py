"""Fleets without hosts: thousands of workers in a few processes, each answering as a real one, failing by a schedule.

faults      which device fails when, and how: pure, the same for the same seed
device      one worker with the noop driver, and what a fault does to it
process     some of them in one process; `python -m libra.simulation.process`
fleet       starts the processes, and adds up what they report
"""
