"""For systems that speak OpenLineage through its Python client: our facets as classes of that client.

`facets` has the classes, made from the definitions in `lineage.events.facets`; `validate` has the client's own rules
for events as a JSON Schema. Importing either imports the client, which takes half a second.
"""
