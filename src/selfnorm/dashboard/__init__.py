"""The online dashboard: a W&B workspace and a report, as objects of wandb_workspaces, and saving them.

In: what is shown of which project, and tables of local runs. Out: specs, which need no server, or saved pages.
"""
