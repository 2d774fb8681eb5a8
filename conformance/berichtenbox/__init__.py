"""The simulated Berichtenbox: intake, processing, results, faults, clock, ledger, and the faces it shows."""
