"""The Berichtenbox conformance kit: proves that a connection with the MijnOverheid Berichtenbox behaves.

Rooms, in the order in which they may import each other: specs, messages, rules, transport, berichtenbox, afnemer, cases, report, cli.
"""

__version__ = "0.1.0"
