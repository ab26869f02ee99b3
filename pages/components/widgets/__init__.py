"""Controls and panels that know no problem."""
