"""Methods of distillation beyond supervised learning on labels."""
