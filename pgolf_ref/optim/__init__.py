"""Optimizers, schedules and the weight average."""
