"""Fine-tuning: examples, checks, jobs."""
