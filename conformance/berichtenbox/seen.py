"""A quick answer to "was this MessageId here before?": never a wrong no, seldom a wrong yes, and no question to the database for a new message."""

import random
from collections.abc import Iterable
from typing import Final

_BITS: Final = 1 << 27  # 16 MB; after ten million messages one new MessageId in a hundred is looked up in vain
_PROBES: Final = 3


class SeenIds:
    """A Bloom filter over texts, for one thread at a time."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._bits = bytearray(_BITS // 8)
        self._salts = [random.getrandbits(64) for _ in range(_PROBES)]  # spread, no secret
        for one in ids:
            self.add(one)

    def add(self, text: str) -> None:
        """Remember a text."""
        for place in self._places(text):
            self._bits[place >> 3] |= 1 << (place & 7)

    def may_hold(self, text: str) -> bool:
        """Tell whether a text was perhaps added; ``False`` is certain."""
        return all(self._bits[place >> 3] & (1 << (place & 7)) for place in self._places(text))

    def _places(self, text: str) -> list[int]:
        first = hash(text)
        return [hash((first, salt)) % _BITS for salt in self._salts]
