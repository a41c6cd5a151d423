"""What a person sees: progress while a run goes on, a summary when it has ended."""
