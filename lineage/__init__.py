"""The provenance gate for machine-learning pipelines (distribution and command ``lineagegate``).

Everything that happens is an OpenLineage event in an append-only ledger; everything we say is computed from the ledger.
A fact travels one way: a tool's records (DVC, MLflow) -> `events` -> `ledger` -> `graph` (labels kept up to date) ->
`policy` (a verdict) -> `evidence` (answers, dossier, bundle, exports). `content` finds the same text under other names.
`gate` holds the use cases, `cli` has one verb per file.

Imports go down only: cli > gate > evidence > graph, content > store > ledger, policy, events > vocabulary > config >
errors. The tools are guarded from outside, by the packages in ``integrations/``; the core imports none of them.
Nothing is imported here: ``lineagegate --help`` and every pipeline stage would pay for it.
"""
