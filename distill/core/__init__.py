"""What teachers and students share: policies, distributions, batches, levels."""
