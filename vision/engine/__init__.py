"""Submit, claim, run, commit, cancel, tick: the only place that joins all parts."""
