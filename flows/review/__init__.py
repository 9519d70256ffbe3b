"""The review page: a person looks at what an ensemble says of unlabelled files, and corrects it."""
