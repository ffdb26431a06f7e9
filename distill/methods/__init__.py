"""Methods of distillation: what each draws, pays and updates."""
