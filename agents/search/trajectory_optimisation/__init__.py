"""Planning of continuous actions: CEM and MPPI."""
