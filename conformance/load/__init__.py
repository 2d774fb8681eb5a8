"""Load profiles: what the norms of the SNO ask of a party under load, what a run measured, and the verdict on each norm.

Only ``generator`` knows Locust; nothing else here may import it, for it replaces the sockets of its process.
"""
