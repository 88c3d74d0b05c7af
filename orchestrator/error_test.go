package orchestrator_test

import (
	"errors"
	"fmt"
	"testing"

	"ringmaster/orchestrator"
)

func TestCodeOf(t *testing.T) {
	conflict := &orchestrator.Error{Code: orchestrator.CodeConflict, Field: "number", Message: "1001 is taken"}
	for _, c := range []struct {
		err  error
		want orchestrator.Code
	}{
		{nil, ""},
		{errors.New("disk full"), orchestrator.CodeInternal},
		{conflict, orchestrator.CodeConflict},
		{fmt.Errorf("save agent ana: %w", conflict), orchestrator.CodeConflict},
		{orchestrator.Problems{conflict}, orchestrator.CodeConflict},
	} {
		if got := orchestrator.CodeOf(c.err); got != c.want {
			t.Errorf("%v is %q, want %q", c.err, got, c.want)
		}
	}
	if got := conflict.Error(); got != "number: 1001 is taken" {
		t.Errorf("got %s", got)
	}
}

func TestProblemsAreOnePerLine(t *testing.T) {
	var p orchestrator.Problems
	p.Add("a", "%d is wrong", 1)
	p.Add("", "so is that")
	if got := p.Error(); got != "a: 1 is wrong\nso is that" {
		t.Errorf("got %q", got)
	}
}
