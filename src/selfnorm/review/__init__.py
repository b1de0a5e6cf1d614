"""A local page to review runs, and the same list for the terminal.

In: a root of run folders. Out: documents of plain numbers and strings (catalogue, row, run, group), a page that draws
them (page/), served on this machine (server) or written as one file (export). Every number is computed here, by
selfnorm.analysis and selfnorm.theory; the page only draws. Imports no torch.
"""
