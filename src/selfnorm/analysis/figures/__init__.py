"""The style that the pictures share, and the pictures of one run alone. In: tidy tables. Out: matplotlib figures."""
