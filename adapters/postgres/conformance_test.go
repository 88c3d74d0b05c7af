package postgres

import (
	"testing"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/conformance"
)

func TestStoreKeepsThePortsContract(t *testing.T) {
	t.Parallel()
	conformance.Store(t, func(t *testing.T) orchestrator.Store {
		t.Helper()
		return newStore(t)
	})
}

func TestLeasesKeepThePortsContract(t *testing.T) {
	t.Parallel()
	conformance.Leases(t, func(t *testing.T) conformance.Keeper {
		t.Helper()
		return newStore(t)
	})
}
