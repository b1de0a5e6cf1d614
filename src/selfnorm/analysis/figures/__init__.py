"""Pictures: errors (Figure 1), moments, ratios (fluctuation and causes). In: tidy tables. Out: files."""
