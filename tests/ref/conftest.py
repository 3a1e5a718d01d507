"""The tests of the reference share their cores with others: one thread each."""

import torch

torch.set_num_threads(1)
