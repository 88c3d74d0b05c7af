package simulation_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"ringmaster/orchestrator/simulation"
)

var update = flag.Bool("update", false, "write what happens into the stories")

// TestStories plays the stories of the floor. They are written beside it,
// because that is where one looks for what a floor does.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("../floor/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := simulation.Tell(string(want))
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("the story goes otherwise now; see the difference with -update:\n%s", got)
			}
		})
	}
}
