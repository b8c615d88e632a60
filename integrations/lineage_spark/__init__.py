"""The bulk jobs on Spark: corpora and graphs that do not fit one machine.

``content``  the content index made and searched by Spark, equal to the single machine's byte for byte
``session``  a session for these jobs

Nothing here decides anything: the fingerprints are `lineage.content`'s. ``python -m lineage_spark`` and
``spark-submit`` run them (docs/how-to/spark.md).
"""
