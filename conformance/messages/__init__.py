"""One module a message: its model, read from and written to XML, checked against the schemas of ``specs/xsd``."""
