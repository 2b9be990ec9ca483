"""Does it talk better? Dialogues put to models, judged in pairs, and what the judgements say."""
