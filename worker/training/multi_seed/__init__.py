"""Several seeds of one job trained side by side as one network with a leading seed dimension."""
