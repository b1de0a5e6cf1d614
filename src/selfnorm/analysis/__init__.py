"""From run folders to Figure 1 with an interval on every number.

In: the tidy files of finished runs (runs), or the committed tables made of them (results).
Out: fluctuation, spread and speed per seed (fluctuation, levels), ratios with interval and p-value
(inference, comparison), the controls (causes), pictures (figures) and the report (report). Imports no torch.
"""
