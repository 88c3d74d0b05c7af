package app

import (
	"os"
	"path/filepath"
	"testing"
)

func TestEveryStartHasItsOwnEpoch(t *testing.T) {
	dir := t.TempDir()
	for want := uint64(1); want <= 3; want++ {
		got, err := nextEpoch(dir)
		if err != nil || got != want {
			t.Fatalf("start %d has epoch %d, %v", want, got, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "epoch"), []byte("three"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := nextEpoch(dir); err == nil {
		t.Error("a damaged epoch is taken for a number: commands of two starts could share a name")
	}
}
