"""The words of the product and the decisions on them: frozen data, no I/O, standard library only."""
