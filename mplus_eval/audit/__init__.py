"""What differs between two models as they were really asked, besides their weights."""
