"""What of an image is warm, and what went live: questions without a task, for operators and triggers alike."""
