"""What methods, trunks and trainings declare, apart from what they compute; imports no torch."""
