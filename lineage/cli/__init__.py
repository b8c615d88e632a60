"""The command line: one verb per file, found by name and imported only when it is called."""
