"""Reward models and functions of a user, which judge as well as train."""
