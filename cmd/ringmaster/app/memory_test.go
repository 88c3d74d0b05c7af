package app

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAnInstallationRemembersItself(t *testing.T) {
	dir := t.TempDir()
	first, err := remember(dir)
	if err != nil || first.Instance == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	if err := first.lead(7); err != nil {
		t.Fatal(err)
	}
	again, err := remember(dir)
	if err != nil || again.Instance != first.Instance || again.Epoch != 7 || !again.Alone {
		t.Fatalf("%+v, %v", again, err)
	}
	if err := again.setAlone(false); err != nil {
		t.Fatal(err)
	}
	if third, err := remember(dir); err != nil || third.Alone {
		t.Errorf("a promise is forgotten: %+v, %v", third, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "instance"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := remember(dir); err == nil {
		t.Error("a damaged memory is taken for one")
	}
}

func TestADataFolderHasOneProcess(t *testing.T) {
	dir := t.TempDir()
	lock, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(dir); err == nil {
		t.Error("two processes have the same data folder")
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
