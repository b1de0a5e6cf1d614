"""Questions asked of the runs, one module each: its numbers, its sentences, and its section of the report.

In: the tidy tables of selfnorm.analysis. Out: Sections, which `report` writes one after the other. A question that the
runs do not answer raises ValueError, in words for people. Imports no torch.
"""
