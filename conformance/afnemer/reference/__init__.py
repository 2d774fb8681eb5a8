"""The reference Afnemer: correct in everything, durable, and small enough to be read as the example of how to do it.

Read ``afnemer.py`` first; ``sending.py`` and ``receiving.py`` are its two halves, ``store.py`` is what it never forgets.
"""
