"""What jobs are given: settings and paths, known without torch; `tasks.jobs` has what they do."""
