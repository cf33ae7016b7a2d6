"""What happened, for people who were not there: findings and counts to bytes."""
