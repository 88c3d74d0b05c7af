package simulation_test

import (
	"flag"
	"strings"
	"testing"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
	"ringmaster/orchestrator/simulation"
)

var (
	seeds = flag.Int("sim.seeds", 200, "how many seeds to run")
	seed  = flag.Uint64("sim.seed", 0, "the first seed")
	calls = flag.Int("sim.calls", 40, "calls per seed")
	all   = flag.Bool("sim.all", false, "go on after a failure, with one line for each")
)

// TestSeeds plays each seed twice, which must be the same to the last byte, and
// once more to a floor that is restored half-way, which must decide the same.
func TestSeeds(t *testing.T) {
	told := map[string]int{}
	var steps int
	for s := *seed; s < *seed+uint64(*seeds); s++ {
		plan := simulation.NewPlan(s, *calls)
		first := simulation.Run(plan)
		switch {
		case first.Failure == nil:
		case *all:
			t.Errorf("seed %d, step %d: %s", s, first.Failure.Step, strings.SplitN(first.Failure.Text, "\n", 2)[0])
			continue
		default:
			t.Fatal(first.Failure)
		}
		if second := simulation.Run(plan); second.Hash != first.Hash {
			t.Fatalf("seed %d: two runs differ\n%s", s, simulation.Again(s, *calls))
		}
		replay(t, s, first.Tape)
		steps += first.Steps
		for name, n := range first.Told {
			told[name] += n
		}
		if done := s - *seed + 1; done%1000 == 0 {
			t.Logf("%d of %d seeds", done, *seeds)
		}
	}
	t.Logf("%d seeds, %d steps, facts told: %v", *seeds, steps, told)
}

// replay gives a run's inputs to another floor. Half-way between any two
// restarts it is put down and made again from an image and the facts after it.
func replay(t *testing.T, seed uint64, tape simulation.Tape) {
	t.Helper()
	epoch, restores := uint64(1), tape.Restores
	cfg := func() floor.Config { return floor.Config{Tenant: "acme", Epoch: epoch} }
	f := floor.New(cfg())
	var image floor.Image
	var since []orchestrator.Fact
	restore := func() {
		restored, err := floor.Restore(cfg(), image)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, fact := range since {
			restored.Apply(fact)
		}
		f = restored
	}
	for i, in := range tape.Inputs {
		if len(restores) > 0 && restores[0] == i {
			epoch, restores = epoch+1, restores[1:]
			restore()
		}
		if i%29 == 5 {
			image, since = f.Image(), nil
		}
		if i%29 == 20 || i == len(tape.Inputs)/2 {
			restore()
		}
		out := f.Step(in)
		since = append(since, out.Facts...)
		if simulation.Digest(out) != simulation.Digest(tape.Effects[i]) {
			t.Fatalf("seed %d: at input %d (%T %+v) a floor restored half-way decides\n%+v\nnot\n%+v\n%s",
				seed, i, in.Event, in.Event, out, tape.Effects[i], simulation.Again(seed, *calls))
		}
	}
}
