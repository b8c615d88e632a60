"""One server for a team: OpenLineage in, questions and decisions out, over HTTP (issue 5).

app          puts the routers together; `room`: what a running server has, and everything that is asked of the record
access       who may ask for what: one table of routes and roles; `identity`: who asks; `settings`: the table [server]
openlineage  events in; `marquez`: leafing through them, as the reference server's clients do
questions    the questions of the command line; `acts`: what stewards, gates and administrators do
pages        the same for people who look, in a browser
limits       sizes, slow clients, headers; `rates`: how often; `problem`: every failure as RFC 9457
operations   health and metrics; `telemetry`: what is counted and logged
run          the process: sockets, TLS, signals

Nothing here decides or records by itself: it asks `lineage.gate`, and writes through one `lineage.gate.intake.Intake`.
"""
