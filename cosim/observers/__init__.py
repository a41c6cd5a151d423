"""Who looks on at a run: progress for people, curves for TensorBoard, W&B and MLflow."""
