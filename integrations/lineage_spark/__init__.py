"""The bulk jobs on Spark: corpora and graphs that do not fit one machine (docs/how-to/spark.md).

``content``  the content index made and searched by Spark, equal to the single machine's byte for byte
``entries``  the ledger's entries as a frame
``facts``    what they say, as rows
``labels``   every label, recomputed from them
``check``    whether the labels that a store keeps are those
``session``  a session for these jobs

Nothing here decides anything: fingerprints are `lineage.content`'s, and one step of a label is `lineage.graph`'s.
``python -m lineage_spark`` and ``spark-submit`` run the jobs.
"""
