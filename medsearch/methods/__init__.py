"""Published methods, one package each: recipe, losses by equation, networks, stages. No method imports another."""
