"""What a run really did: seen while it ran, kept in a spool, read from there (issue 6).

hook         what a command's environment must hold so that it is seen: a shell for DVC, an observer for Python
shell.sh     stands in for the shell that DVC starts a stage's command with; records start, end and exit status
observer/    a ``sitecustomize`` for every Python process of a stage: files, hosts, children, inference libraries
dvc_hook     the same for plain ``dvc repro``, from a ``.pth`` in DVC's environment (`install`)
command      running a command as if we were not there
spool        the records of one execution, and whether they are whole

What was seen of one execution becomes an event in `lineage.gate.observed`. Nothing here opens a store, and what runs
inside a stage imports nothing of this package: if our part breaks, the stage runs on and the break is recorded.
"""
