"""Networks with seeds as an axis: (replica, batch, feature) in, (replica, batch, class) out."""
