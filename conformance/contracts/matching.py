"""Matching rules for the XML of the koppelvlak, for whoever writes pacts about it.

The rules of ``pact.xml`` find nothing in a document with namespaces; these paths do, whatever prefixes it has. Pact does not look at the order of
elements: hold a document against its schema besides.
"""

from collections.abc import Mapping
from typing import Any, Final

GUID: Final = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
MOMENT: Final = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})"
BASE64: Final = "[A-Za-z0-9+/]+={0,2}"
Rule = Mapping[str, Any]


def xml_path(*steps: str) -> str:
    """Return the path of what stands below ``steps``: element names, with their namespace in braces as lxml writes them, ``@name`` or ``#text``."""
    return "$" + "".join(f"['{step.removeprefix('{').replace('}', ':')}']" for step in steps)


def regex(pattern: str) -> Rule:
    """Return the rule that a text matches a pattern as a whole."""
    return {"combine": "AND", "matchers": [{"match": "regex", "regex": f"^({pattern})$"}]}


def packed() -> Mapping[str, Any]:
    """Return the rules for a payload that is a gzip file: Pact does not look into it."""
    return {"body": {"$": {"combine": "AND", "matchers": [{"match": "contentType", "value": "application/gzip"}]}}}
