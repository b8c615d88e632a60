"""The gate inside MLflow: no model version exists that lineagegate did not judge.

MLflow finds everything through entry points, all of them in `lineage_mlflow.plugin`, which imports nothing but the
standard library: an entry point that fails to load would leave MLflow's own ungated store in place.

``plugin``      what MLflow loads; any failure of ours becomes a store that refuses
``paths``       the same for file stores, bare paths among them
``swap``        putting methods of ours before a store's own
``session``     the project's gate, opened once per process; server or client
``registry``    the acts that are judged (create, stage, alias, rename) and those that are recorded
``changes``     what MLflow did, as records
``recall``      taking a version out of use
``description`` what a version's description says of the gate
``verdict``     judging one version, and the refusal as MLflow's error
``versions``    which versions there are, prompts apart
``reading``     runs and logged models, what lineage needs of them
``tables``      the same from MLflow's database, by statements that are built once
``sources``     from a version's source to the run, the logged model and the files behind it
``ancestry``    what a run read, as OpenLineage events
``files``       the content of a model's files
``tracking``    facts as they are logged: stage of a run, origins of a dataset input; reserved tags
``datasets``    dataset sources of a run as artifacts
``dvc_source``  MLflow's dataset source ``dvc:<path>``
``remote``      a server somewhere else: gated already, or checked from here
``audit``       the registry as the core reads it and recalls in it

Nothing is imported here: every ``import mlflow`` would pay for it.
"""
