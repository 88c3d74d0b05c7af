package ivr

import (
	"slices"
	"strings"

	"ringmaster/orchestrator"
)

// reachable refuses nodes no call can come to: mostly an exit that somebody
// forgot to connect.
func reachable(found *orchestrator.Problems, path string, f orchestrator.Flow, names []string) {
	seen := map[string]bool{f.Start: true}
	todo := []string{f.Start}
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, next := range f.Nodes[name].On { // order-free: only collects a set
			if !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
	for _, name := range names {
		if !seen[name] {
			found.Add(join(path, "nodes."+name), "no call can reach this node from %q", f.Start)
		}
	}
}

// noLoops refuses circles of nodes in which a call would run for ever without
// waiting for anything.
func noLoops(found *orchestrator.Problems, path string, f orchestrator.Flow, names []string) {
	next := func(name string) []string { return AtOnce(f.Nodes[name]) }
	for _, loop := range Loops(names, next) {
		found.Add(join(path, "nodes."+loop[0]),
			"an endless loop: a call would go %s and on without ever waiting", strings.Join(append(loop, loop[0]), " -> "))
	}
}

// AtOnce is the nodes a call may go on to from n without anything having
// happened: nodes that never wait, a queue that has no agents, a transfer or a
// play that fails at once.
func AtOnce(n orchestrator.Node) []string {
	var exits []string
	switch n.Type {
	case orchestrator.NodeAnswer:
		exits = []string{orchestrator.ExitNext}
	case orchestrator.NodeHours:
		exits = []string{orchestrator.ExitOpen, orchestrator.ExitClosed, orchestrator.ExitHoliday}
	case orchestrator.NodeQueue:
		exits = []string{orchestrator.ExitNoAgents}
	case orchestrator.NodeTransfer, orchestrator.NodePlay:
		exits = []string{orchestrator.ExitFailed}
	}
	var nodes []string
	for _, exit := range exits {
		// Only what is drawn: a lone play that repeats itself also "fails" to
		// itself by default, and is what the administrator meant.
		if node, ok := n.On[exit]; ok {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// maxLoops bounds how many loops are told of at once.
const maxLoops = 20

// Loops finds circles in a graph: one for every edge that closes one in a walk
// depth first from each start in order, at most maxLoops. Each begins with the
// node that the walk met first.
func Loops[N comparable](starts []N, next func(N) []N) [][]N {
	w := walk[N]{next: next, place: map[N]int{}, done: map[N]bool{}}
	for _, start := range starts {
		w.visit(start)
	}
	return w.loops
}

type walk[N comparable] struct {
	next  func(N) []N
	trail []N       // from the walk's start to here
	place map[N]int // in the trail, of those not done
	done  map[N]bool
	loops [][]N
}

// visit goes as deep as the graph has nodes, which the bounds of flows and of
// the configuration limit.
func (w *walk[N]) visit(node N) {
	if w.done[node] || len(w.loops) == maxLoops {
		return
	}
	if i, inTrail := w.place[node]; inTrail {
		w.loops = append(w.loops, slices.Clone(w.trail[i:]))
		return
	}
	w.place[node] = len(w.trail)
	w.trail = append(w.trail, node)
	for _, other := range w.next(node) {
		w.visit(other)
	}
	w.trail = w.trail[:len(w.trail)-1]
	w.done[node] = true
}
