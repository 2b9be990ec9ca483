"""What did alignment cost? lm-eval's tasks put to models, scored item by item, and contrasted."""
