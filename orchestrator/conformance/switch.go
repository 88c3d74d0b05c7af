package conformance

import (
	"slices"
	"testing"

	"ringmaster/orchestrator"
)

// Switch runs the contract of orchestrator.Switch against a harness. Each
// subtest is one sentence of the contract; together they take about a minute
// on a real switch.
func Switch(t *testing.T, h Harness) {
	t.Helper()
	// One adapter serves all tests that do not harm the connection.
	shared := open(t, h)
	await[orchestrator.SwitchSynced](t, shared, 0, h.Stage().Recover, nil)
	for _, group := range []struct {
		name  string
		tests []sentence
	}{
		{"arrival", arrivals},
		{"progress", progresses},
		{"dial", dials},
		{"overload", overloads},
		{"sound", sounds},
		{"bridge", bridges},
		{"third party", thirds},
		{"trunk", trunks},
		{"transfer", transfers},
		{"recording", recordings},
		{"supervision", supervisions},
		{"mute", mutes},
		{"variable", variables},
		{"machine", machines},
		{"streaming", streams},
		{"release", releases},
		{"endpoint", endpoints},
		{"hostile", hostile},
		{"snapshot", snapshots},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.tests {
				t.Run(c.name, func(t *testing.T) { play(t, h, shared, c) })
			}
		})
	}
	t.Run("stream", func(t *testing.T) { stream(t, shared) })
	shared.close(t, h.Stage())
	t.Run("connection", func(t *testing.T) {
		for _, c := range slices.Concat(connections, aways) {
			t.Run(c.name, func(t *testing.T) {
				d := open(t, h)
				play(t, h, d, c)
				stream(t, d)
			})
		}
	})
}

// sentence is one promise of the contract and the test of it.
type sentence struct {
	name string
	test func(*scene)
}

func play(t *testing.T, h Harness, d *desk, c sentence) {
	t.Helper()
	s := &scene{T: t, h: h, st: h.Stage(), d: d}
	defer s.clear()
	c.test(s)
}
