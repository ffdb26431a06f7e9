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
