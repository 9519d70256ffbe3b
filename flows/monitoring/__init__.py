"""What a run says while it goes on: counts, status, events, memory."""
