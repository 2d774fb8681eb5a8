"""What the cases play on: the scene with its Berichtenbox and Afnemer, the judge, the transcript, and the run itself."""
