"""Write a planner that only plans when an episode ends, and compare it with Dyna-Q's own."""

from dynamaze.agents import DynaQ, Planning
from dynamaze.agents.checks import check_planner


class PlanAfterEpisodes(Planning):
    """Planning at the end of each episode."""

    needs = frozenset({"sample"})  # required capabilities of the model

    def __init__(self, planning_steps):
        self.planning_steps, self.ended = planning_steps, False

    def record_transition(self, values, model, transitions):  # real, and known to the model
        self.ended = bool(transitions.terminated[-1])

    def plan(self, values, model, rng):
        if self.ended:
            values.update(model.sample(self.planning_steps, rng))


for name, planning in (("own planner", PlanAfterEpisodes(2000)), ("uniform", "uniform")):
    agent = DynaQ("DynaMaze-v0", planning=planning, seed=0)
    goals = sum(step.terminated for _, step in zip(range(3000), agent.steps(), strict=False))
    print(f"{name}: {goals} goals in 3000 steps")
print(check_planner(lambda env: PlanAfterEpisodes(100)))
