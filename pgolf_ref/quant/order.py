"""An order of the rows of a matrix of codes in which each is like the one before it, for codecs that look a short way back."""

import numpy as np
import torch
from numpy.typing import NDArray


def similar_rows(codes: NDArray[np.int8]) -> NDArray[np.uint16]:
    """int8 (rows, columns) -> uint16 (rows,): from row 0 always on to the nearest row that is left, by the sum of differences.

    The first of equals, so that the order depends on the codes alone. Takes rows^2 * columns operations.
    """
    left = torch.from_numpy(codes).to(torch.int16)
    numbers = torch.arange(len(codes))
    order, current = [0], left[0]
    left, numbers = left[1:], numbers[1:]
    while len(left):
        nearest = int((left - current).abs().sum(dim=1, dtype=torch.int32).argmin())
        order.append(int(numbers[nearest]))
        current = left[nearest].clone()
        keep = torch.arange(len(left)) != nearest
        left, numbers = left[keep], numbers[keep]
    return np.array(order, dtype=np.uint16)
