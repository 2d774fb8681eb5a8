"""The party under test: how it is driven, the reference Afnemer, and its deliberate defects."""
