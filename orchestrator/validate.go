package orchestrator

// Validate finds every fault of a configuration that can be seen without
// knowing flows and hours from inside: see floor.Validate for all.
func (c Config) Validate() Problems { return nil }

// Warnings is what is allowed and probably not meant.
func (c Config) Warnings() Problems { return nil }
