"""DockerOperator's arguments as a run of Prewarm: data in, data out.

What DockerOperator and docker-py make of an argument is the measure: each function here gives what a run has to say so
that the container is the same, or refuses what a run can't say. Nothing imports docker: its types are dicts, and are
read as such.
"""
