package gen_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestGeneratedCodeIsThatOfTheSpec makes api_gen.go again and compares.
func TestGeneratedCodeIsThatOfTheSpec(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generator")
	}
	out := filepath.Join(t.TempDir(), "api_gen.go")
	made, err := exec.CommandContext(t.Context(), "go", "tool", "oapi-codegen", "-config", "oapi-codegen.yaml", "-o", out, "../openapi.yaml").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, made)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("api_gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("api_gen.go is not what openapi.yaml says: run go generate ./api/gen")
	}
}
