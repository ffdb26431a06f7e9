"""A recurrent planner whose weights are set, not learned: it knows the way in every maze."""

import torch

from dynamaze.distill.students.value_iteration import RecurrentPlanner

SIDES = (1, 5, 7, 3)  # up, right, down, left in a 3x3


def exact_planner(maps=4):
    planner = RecurrentPlanner(maps)
    with torch.no_grad():
        for weight in planner.parameters():
            weight.zero_()
        planner.top.fill_(12.0)
        planner.bias.fill_(-0.01)
        for number in range(maps):
            side = SIDES[number % 4]
            planner.move[number, side] = 20.0
            planner.reward.view(maps, 2, 9)[number, 0, side] = -10.0
            planner.reward.view(maps, 2, 9)[number, 1, side] = 20.0
            if maps != 4:
                planner.readout[number % 4, number] = 20.0
    return planner
