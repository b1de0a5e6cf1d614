"""The theory beside the code: moment map, fixed points, machine-checked theorems, predictions. Imports no torch."""
