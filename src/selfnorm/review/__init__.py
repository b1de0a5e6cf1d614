"""A local page to review runs, and the same list for the terminal.

In: a root of run folders. Out: JSON documents (overview, run, group) and a page that draws them (page/), served on
this machine (server) or written as one file (export). Python computes every number and the page only draws. This
room imports no torch.
"""
