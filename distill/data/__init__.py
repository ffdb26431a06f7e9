"""Sources of labelled batches: functions, stored data, and rollouts of teacher and student."""
