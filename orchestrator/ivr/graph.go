package ivr

import (
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
// depth first from each name in order, at most maxLoops. Each begins with the
// name that the walk met first.
func Loops(names []string, next func(string) []string) [][]string {
	w := walk{next: next, place: map[string]int{}, done: map[string]bool{}}
	for _, name := range names {
		w.visit(name)
	}
	return w.loops
}

type walk struct {
	next  func(string) []string
	trail []string       // the names from the walk's start to here
	place map[string]int // of each name in the trail
	done  map[string]bool
	loops [][]string
}

// visit goes as deep as the graph has names: the callers bound them.
func (w *walk) visit(name string) {
	if w.done[name] || len(w.loops) == maxLoops {
		return
	}
	if i, inTrail := w.place[name]; inTrail {
		w.loops = append(w.loops, append([]string{}, w.trail[i:]...))
		return
	}
	w.place[name] = len(w.trail)
	w.trail = append(w.trail, name)
	for _, other := range w.next(name) {
		w.visit(other)
	}
	w.trail = w.trail[:len(w.trail)-1]
	delete(w.place, name)
	w.done[name] = true
}
