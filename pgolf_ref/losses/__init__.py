"""What training minimises; `objective.py` puts the parts together."""
