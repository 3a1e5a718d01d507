"""Adam with decoupled weight decay (Kingma & Ba 2015; Loshchilov & Hutter 2019), over whole lists of tensors at a time."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from pgolf_ref.optim.decay import Decay


class Adam:
    """Parameters with one learning rate, given by the schedule for each step."""

    def __init__(
        self, parameters: Sequence[nn.Parameter], betas: tuple[float, float], eps: float, decay: Decay | None = None
    ) -> None:
        self._parameters: list[Tensor] = [p for p in parameters if p.numel()]
        self._mean = [torch.zeros_like(p) for p in self._parameters]
        self._square = [torch.zeros_like(p) for p in self._parameters]
        self._betas = betas
        self._eps = eps
        self._decay = decay
        self._count = 0

    @torch.no_grad()
    def step(self, lr: float, decay_multiplier: float = 1.0) -> None:
        """p <- p - lr * m / (sqrt(v) + eps), with the bias of the means m and v corrected."""
        if not self._parameters:
            return
        beta1, beta2 = self._betas
        self._count += 1
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        torch._foreach_lerp_(self._mean, gradients, 1 - beta1)
        torch._foreach_mul_(self._square, beta2)
        torch._foreach_addcmul_(self._square, gradients, gradients, 1 - beta2)
        if self._decay is not None:
            self._decay.apply(self._parameters, self._mean, lr, decay_multiplier)
        denominator = torch._foreach_sqrt(self._square)
        torch._foreach_div_(denominator, (1 - beta2**self._count) ** 0.5)
        torch._foreach_add_(denominator, self._eps)
        torch._foreach_addcdiv_(self._parameters, self._mean, denominator, -lr / (1 - beta1**self._count))

    def state_dict(self) -> dict[str, Tensor]:
        """Both means of every parameter, and how many steps they are of."""
        means = {f"mean.{i}": mean for i, mean in enumerate(self._mean)}
        squares = {f"square.{i}": square for i, square in enumerate(self._square)}
        return {"count": torch.tensor(self._count), **means, **squares}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._count = int(state["count"])
        for name, tensors in (("mean", self._mean), ("square", self._square)):
            for i, tensor in enumerate(tensors):
                tensor.copy_(state[f"{name}.{i}"])
