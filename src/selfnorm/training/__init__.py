"""The training of a job: a checked configuration goes in, a finished run folder comes out."""
