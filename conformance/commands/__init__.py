"""One module a command of the command line; each is imported when it is called, and what it needs when it runs."""
