"""The theory beside the code: moment map, fixed points, machine-checked theorems, predictions. Imports no torch.

Legend of all its modules, in the paper's letters: mu, nu are the mean and the variance of a layer's activations;
omega, tau the sum of a unit's weights and of their squares; x = mu omega, y = nu tau the mean and the variance of the
pre-activation z; a tilde (mu~, nu~) marks the next layer; alpha, lambda_ are the SELU's parameters.
"""
