"""Labels for anybody's files by a trained model: what `gradmix predict` does."""
