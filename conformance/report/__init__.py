"""What a run comes to, and how people and machines read it: verdicts, evidence, JSON, HTML and JUnit.

Reports only listen: nothing here runs a case or talks to a party.
"""
