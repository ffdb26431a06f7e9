"""A value iteration network with weights set by hand that solves every maze."""

import torch

from dynamaze.distill.students.value_iteration import ValueIterationNetwork

SIDES = (1, 5, 7, 3)  # up, right, down, left in a 3x3


def exact_value_iteration(maps=4):
    vin = ValueIterationNetwork(maps)
    with torch.no_grad():
        for weight in vin.parameters():
            weight.zero_()
        vin.top.fill_(12.0)
        vin.bias.fill_(-0.01)
        for number in range(maps):
            side = SIDES[number % 4]
            vin.move[number, side] = 20.0
            vin.reward.view(maps, 2, 9)[number, 0, side] = -10.0
            vin.reward.view(maps, 2, 9)[number, 1, side] = 20.0
            if maps != 4:
                vin.readout[number % 4, number] = 20.0
    return vin


def trained_value_iteration(seed=0):
    """Weights like those after a training: a step costs 0.013, a wall 23, and nothing is exact."""
    draw = torch.Generator().manual_seed(seed)
    vin = ValueIterationNetwork()
    with torch.no_grad():
        vin.top.fill_(7.0)
        for weight, middle, spread in ((vin.move, -3.0, 0.5), (vin.reward, 0.0, 1e-4)):
            weight.copy_(middle + spread * torch.randn(weight.shape, generator=draw))
        vin.bias.copy_(-0.013 * (1 + 0.02 * torch.rand(4, generator=draw)))
        for action, side in enumerate(SIDES):
            vin.move[action, side] += 8.5
            walls, goals = vin.reward[action].view(2, 9)
            walls[side] -= 4.0 + 0.1 * action
            walls[4] -= 19.0 - 0.1 * action
            goals[side] += 6.2
    return vin
