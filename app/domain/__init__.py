"""The words of the house: frozen values and the error tree, standard library only."""
