"""What must hold so that nights run: facts, gathered elsewhere → checks, with what to do."""
