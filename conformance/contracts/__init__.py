"""Pact on both sides: the published pacts, a simulated Berichtenbox that keeps them, and a look at an organisation's own result handler.

The pacts themselves are written by the consumer tests in ``contracts/``; nothing here knows those tests.
"""
