"""What a training step takes: on this device, by phase, and against another training script."""
