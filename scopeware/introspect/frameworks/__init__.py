"""How each framework keeps its routes. None of them is imported: where one is at work, it is loaded."""
