"""The work: thin Prefect verbs over pure modules."""
