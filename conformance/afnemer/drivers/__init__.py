"""The ways to reach an Afnemer: over HTTP, by a command, as a Python class, or through a person."""
