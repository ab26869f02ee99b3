"""The Mislabels page in parts: who answers, the queue, the card with its keys, and what follows from the answers."""
