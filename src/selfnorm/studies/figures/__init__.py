"""Pictures of the studies. In: tidy tables. Out: matplotlib figures, made within house_style."""
