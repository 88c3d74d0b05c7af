package freeswitch

import (
	"testing"
	"time"

	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// What one orchestrator began, the next one can end.
func TestMusicOfAnotherOrchestratorIsKnown(t *testing.T) {
	o := atWork(t, nil)
	caller, leg := o.arrives(true)
	o.must(orchestrator.StartMusic{Leg: leg, Class: lab.FreeSWITCHMusic})
	o.hears("the caller", caller, lab.MusicHz, true)
	o.stop()
	next := atWork(t, nil)
	next.hears("the caller", caller, lab.MusicHz, true)
	if result, _ := next.do(orchestrator.StartMusic{Leg: leg, Class: lab.FreeSWITCHMusic}); result != orchestrator.ResultAlready {
		t.Errorf("music that sounds already was answered %s", result)
	}
	play := orchestrator.PlayID(newID())
	next.must(orchestrator.Play{Leg: leg, Play: play, Media: []orchestrator.Media{{File: next.prompt}}})
	expect(next, 0, func(e orchestrator.PlayDone) bool { return e.Play == play && e.Status == orchestrator.PlayFinished })
	next.hears("the caller", caller, lab.MusicHz, true)
	next.must(orchestrator.StopMusic{Leg: leg})
	next.hears("the caller", caller, lab.MusicHz, false)
}

func TestPromptOfAnotherOrchestratorEnds(t *testing.T) {
	o := atWork(t, nil)
	caller, leg := o.arrives(true)
	o.must(orchestrator.Play{Leg: leg, Play: orchestrator.PlayID(newID()), Media: []orchestrator.Media{{File: o.long}}})
	time.Sleep(300 * time.Millisecond)
	o.stop()
	next := atWork(t, nil)
	began := time.Now()
	play := orchestrator.PlayID(newID())
	next.must(orchestrator.Play{Leg: leg, Play: play, Media: []orchestrator.Media{{File: next.prompt}}})
	expect(next, 0, func(e orchestrator.PlayDone) bool { return e.Play == play && e.Status == orchestrator.PlayFinished })
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the prompt was over after %v: it waited for the old one", took)
	}
	next.must(orchestrator.StartMusic{Leg: leg, Class: lab.FreeSWITCHMusic})
	next.hears("the caller", caller, lab.MusicHz, true)
	next.must(orchestrator.StopMusic{Leg: leg})
	next.hears("the caller", caller, lab.MusicHz, false)
}

// A play whose end falls into a cut is over all the same, and what waits behind
// it is heard.
func TestPlayAcrossACutEnds(t *testing.T) {
	o := atWork(t, nil)
	_, leg := o.arrives(true)
	first, second := orchestrator.PlayID(newID()), orchestrator.PlayID(newID())
	o.must(orchestrator.Play{Leg: leg, Play: first, Media: []orchestrator.Media{{File: o.long}}})
	o.must(orchestrator.Play{Leg: leg, Play: second, Media: []orchestrator.Media{{File: o.prompt}}})
	time.Sleep(300 * time.Millisecond)
	o.between.Stop()
	expect[orchestrator.SwitchLost](o, 0, nil)
	if err := o.between.Start(); err != nil {
		t.Fatal(err)
	}
	expect[orchestrator.SwitchSynced](o, 1, nil)
	expect(o, 0, func(e orchestrator.PlayDone) bool { return e.Play == first })
	expect(o, 0, func(e orchestrator.PlayDone) bool { return e.Play == second && e.Status == orchestrator.PlayFinished })
}

// An unclaimed caller is found by the next one, and one in the dialplan's
// fallback is not.
func TestOnlyOurLegsAreAdopted(t *testing.T) {
	o := atWork(t, nil)
	caller, leg := o.arrives(true)
	o.must(orchestrator.Release{Leg: leg, Context: "rm-fallback", Extension: "agent"})
	expect(o, 0, func(e orchestrator.LegReleased) bool { return e.Leg == leg })
	_, kept := o.arrives(false)
	o.stop()
	next := atWork(t, nil)
	e, _ := expect[orchestrator.SwitchSynced](next, 0, nil)
	if len(e.Snapshot.Legs) != 1 || e.Snapshot.Legs[0].Leg != kept || e.Snapshot.Legs[0].Stamp.Tenant != "test" {
		t.Errorf("adopted %+v, want %s alone", e.Snapshot.Legs, kept)
	}
	if !caller.Up() {
		t.Error("the released call ended")
	}
}
