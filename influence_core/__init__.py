"""Which training points shaped a prediction: the core, free of any interface library."""
