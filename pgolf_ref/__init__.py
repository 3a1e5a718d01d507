"""The reference trainer: trains, quantises, exports and evaluates a model, and writes a submission folder."""
