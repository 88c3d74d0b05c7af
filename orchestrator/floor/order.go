package floor

import (
	"cmp"
	"slices"

	o "ringmaster/orchestrator"
)

// sortedKeys is the only way the floor walks a map whose order could be seen.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m { // order-free: sorted below
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// callsOn lists a switch's calls in the order of their ids, which is the order
// of their arrival.
func (f *Floor) callsOn(sw o.SwitchID) []*call {
	var on []*call
	for _, id := range sortedKeys(f.Calls) {
		if c := f.Calls[id]; c.Switch == sw {
			on = append(on, c)
		}
	}
	return on
}
