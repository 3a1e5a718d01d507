"""What an artifact holds and where its losses lie: tables of weights, of losses and of the phases of its run, and pictures of losses."""
