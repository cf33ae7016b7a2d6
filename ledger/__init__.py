"""Requests, submissions, runs: states and events as tables. What must leave is a row here before it leaves."""
