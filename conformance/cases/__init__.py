"""The conformance cases: pytest modules, one a subject, each case marked with the requirements that it decides."""
