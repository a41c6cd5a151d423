"""Several runs side by side: what each reached and cost, over seeds and against each other."""
